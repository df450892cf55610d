"""Encounters built by the package fhir.resources, an independent model of FHIR, posted to a sitrep that runs.

usage: fhir_sender.py URL
"""

import json
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from fhir.resources.R4B.bundle import Bundle, BundleEntry, BundleEntryRequest
from fhir.resources.R4B.encounter import Encounter

url = sys.argv[1]
now = datetime.now(timezone.utc).replace(microsecond=0)


def ago(minutes):
    return now - timedelta(minutes=minutes)


def encounter(number, **changes):
    content = {
        "id": f"enc-{number}",
        "meta": {"versionId": "2", "lastUpdated": now},
        "identifier": [{"system": "https://rxf.example/visit", "value": f"F{number:06}"}],
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
        "subject": {"reference": "Patient/9434765919", "display": "Zanzibar"},
        "period": {"start": ago(120)},
        "statusHistory": [{"status": "triaged", "period": {"start": ago(110), "end": ago(100)}}],
    }
    return Encounter.model_validate(content | changes)


def post(path, resource):
    request = urllib.request.Request(url + path, resource.model_dump_json().encode(), {"Content-Type": "application/fhir+json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


left = {"status": "finished", "period": {"start": ago(120), "end": ago(5)},
        "hospitalization": {"dischargeDisposition": {"coding": [{"system": "http://snomed.info/sct", "code": "306706006"}]}}}
for number, changes, expected in [
    (1, {}, 200),
    (2, left, 200),
    (3, {"status": "entered-in-error"}, 200),
    (4, {"class": {"code": "IMP"}}, 200),
    (5, {"period": {"start": "2026-11"}}, 400),
    (6, {"period": {"start": now + timedelta(days=1)}}, 422),
]:
    status, answer = post("/fhir/R4/Encounter", encounter(number, **changes))
    assert status == expected, (number, status, answer)
    assert answer["resourceType"] == "OperationOutcome" and "Zanzibar" not in json.dumps(answer), answer
entries = [BundleEntry(resource=encounter(10 + number), request=BundleEntryRequest(method="PUT", url=f"Encounter/enc-{number}"))
           for number in range(3)]
status, answer = post("/fhir/R4", Bundle(type="transaction", entry=entries))
assert status == 200 and answer["type"] == "transaction-response", answer
assert [entry["response"]["status"] for entry in answer["entry"]] == ["200 OK"] * 3, answer
# What is answered is FHIR too.
Bundle.model_validate(answer)
print("fhir.resources: 6 Encounters and a Bundle of 3, answered as they should be")
