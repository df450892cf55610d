"""An independent client: the package hl7 from PyPI sends real MLLP to a listener and reads the acknowledgements.

usage: hl7_sender.py HOST PORT
"""

import datetime
import sys

import hl7
from hl7.client import MLLPClient


def message(event: str, control_id: str, visit: str = "V1001^^^RXF") -> hl7.Message:
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d%H%M%S+0000")
    return hl7.parse(
        "\r".join(
            [
                f"MSH|^~\\&|EPR|RXF|SITREP|SITREP|{now}||ADT^{event}|{control_id}|P|2.5",
                f"EVN|{event}|{now}",
                "PID|1||4857773456^^^NHS||SMITHERS^JANE",
                f"PV1|1|E|AE^MAJ1{'|' * 16}{visit}",
            ]
        )
        + "\r"
    )


def main() -> None:
    host, port = sys.argv[1], int(sys.argv[2])
    with MLLPClient(host, port) as client:
        for number, (event, visit, expected) in enumerate(
            [
                ("A04", "V1001^^^RXF", "AA"),
                ("A08", "V1001^^^RXF", "AA"),
                ("A31", "", "AA"),
                ("A03", "", "AR"),
                ("A03", "V1001^^^RXF", "AA"),
            ]
        ):
            answer = client.send_message(message(event, str(number), visit))
            acknowledgement = hl7.parse(answer.strip(b"\x0b\x1c\r").decode())
            msa = acknowledgement.segment("MSA")
            said = (str(msa[1]), str(msa[2]))
            assert said == (expected, str(number)), (said, expected)
            if expected == "AR":
                place = str(acknowledgement.segment("ERR")[2])
                assert place == "PV1^1^19", place
    print("5 messages were acknowledged as they should be")


if __name__ == "__main__":
    main()
