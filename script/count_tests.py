# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: count_tests.py TESTLOG.json   (Meson's log, a JSON object a line)

Prints "PASSED FAILED": the test cases inside each program, as cmocka and unittest count them; a program that counts
nothing, crashed or ran out of time counts as one."""
import json
import re
import sys


def counts(entry):
    text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    ok = entry["result"] in ("OK", "EXPECTEDFAIL")
    if entry["result"] == "SKIP":
        print(f"SKIPPED: {entry['name']}: {text.strip()}", file=sys.stderr)
        return 0, 0
    passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M))
    failed = sum(int(n) for n in re.findall(r"^\[  FAILED  \] (\d+) test", text, re.M))
    skipped = sum(int(n) for n in re.findall(r"^\[  SKIPPED \] (\d+) test", text, re.M))
    for ran, summary in re.findall(r"^Ran (\d+) tests? in .*?\n\n(.*)$", text, re.M):
        bad = sum(int(n) for n in re.findall(r"\b(?<!expected )(?:failures|errors|unexpected successes)=(\d+)", summary))
        left_out = sum(int(n) for n in re.findall(r"\bskipped=(\d+)", summary))
        passed += max(int(ran) - bad - left_out, 0)
        failed += bad + (ran == "0")
        skipped += left_out
    if ok and passed + failed + skipped == 0:
        passed = 1
    if not ok and failed == 0:
        failed = 1
    return passed, failed


def main():
    total_passed = total_failed = 0
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            passed, failed = counts(json.loads(line))
            total_passed += passed
            total_failed += failed
    print(total_passed, total_failed)


main()
