# SPDX-License-Identifier: LGPL-2.1-or-later
"""`spyhop states graph`: pictures of definitions and of executions, as text and as SVG."""
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

from server import ACCESS_KEY, SECRET_KEY, Server, program

ROLE = "arn:aws:iam::012345678901:role/service-role/machines"
SVG = "{http://www.w3.org/2000/svg}"
LIMIT_SECONDS = 30

FILM = {"StartAt": "Look", "States": {
    "Look": {"Type": "Choice", "Default": "Give up", "Choices": [
        {"Variable": "$.size", "NumericGreaterThan": 1, "Next": "Both"},
        {"Not": {"Variable": "$.again", "IsPresent": True}, "Next": "Rest"}]},
    "Rest": {"Type": "Pass", "Result": 2, "ResultPath": "$.again", "Next": "Look"},
    "Both": {"Type": "Parallel", "Next": "Done", "ResultPath": "$.both",
             "Catch": [{"ErrorEquals": ["Broken", "States.Timeout"], "Next": "Give up"}],
             "Branches": [
                 {"StartAt": "Picture", "States": {
                     "Picture": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:describeExecution",
                                 "Parameters": {"ExecutionArn.$": "$.arn"}, "End": True,
                                 "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "No picture"}]},
                     "No picture": {"Type": "Pass", "End": True}}},
                 {"StartAt": "Sound", "States": {
                     "Sound": {"Type": "Choice", "Default": "Silence",
                               "Choices": [{"Variable": "$.broken", "IsPresent": True, "Next": "No <sound> & noise"}]},
                     "Silence": {"Type": "Pass", "End": True},
                     "No <sound> & noise": {"Type": "Fail", "Error": "NoSound"}}}]},
    "Done": {"Type": "Map", "ItemsPath": "$.items", "End": True,
             "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}}},
    "Give up": {"Type": "Fail", "Error": "Never"}}}


def graph(*words, text=None, **environment):
    return subprocess.run([program(), "states", "graph", *words], input=text, capture_output=True, text=True,
                          env={**os.environ, **environment}, check=False)


def classes(svg):
    """State name -> outcome, as the picture has them."""
    found = {}
    for group in xml.etree.ElementTree.fromstring(svg).iter(SVG + "g"):
        if "class" in group.attrib:
            name = group.find(SVG + "text").text.split(" ×")[0]
            found[name] = group.attrib["class"]
    return found


class Files(unittest.TestCase):
    def test_text(self):
        result = graph("-", text=json.dumps(FILM))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        for wanted in ("● start", "│ Look  Choice  │", "  │ $.size > 1 ──▶ Both", "  │ otherwise ──▶ Give up",
                       "│ Both  Parallel  │", "│ branch 2", "│   │ Sound  Choice  │",
                       "  ┆ caught Broken, States.Timeout ──▶ Give up", "│ for each item", "  │ ──▶ Look", "● end"):
            self.assertIn(wanted, lines)
        self.assertNotIn("\x1b", result.stdout)
        self.assertEqual([line for line in lines if line != line.rstrip()], [])

    def test_svg(self):
        with tempfile.TemporaryDirectory() as folder:
            file, picture = pathlib.Path(folder, "film.json"), pathlib.Path(folder, "film.svg")
            file.write_text(json.dumps(FILM))
            result = graph("--svg", str(picture), str(file))
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
            drawn = classes(picture.read_text())
        self.assertEqual(set(drawn), {"Look", "Rest", "Both", "Picture", "No picture", "Sound", "Silence",
                                      "No <sound> & noise", "Done", "One", "Give up"})
        self.assertEqual(set(drawn.values()), {"unseen"})

    def test_nothing_overlaps(self):
        """Boxes of one graph stand apart, and inside of the picture."""
        states = {f"S{i}": {"Type": "Choice", "Default": f"S{(i * 7 + 1) % 40}", "Choices": [
            {"Variable": "$.x", "NumericEquals": i, "Next": f"S{(i * 3 + 2) % 40}"},
            {"Variable": "$.y", "NumericEquals": i, "Next": f"S{min(i + 1, 40)}"}]} for i in range(40)}
        states["S40"] = {"Type": "Succeed"}
        result = graph("--svg", "-", "-", text=json.dumps({"StartAt": "S0", "States": states}))
        self.assertEqual(result.returncode, 0, result.stderr)
        root = xml.etree.ElementTree.fromstring(result.stdout)
        boxes = [tuple(float(r.attrib[k]) for k in ("x", "y", "width", "height"))
                 for r in root.iter(SVG + "rect") if "rx" in r.attrib]
        self.assertEqual(len(boxes), 41)
        for i, (x, y, w, h) in enumerate(boxes):
            self.assertGreaterEqual(x, 0)
            self.assertLess(x + w, float(root.attrib["width"]))
            for a, b, c, d in boxes[:i]:
                self.assertTrue(x + w < a or a + c < x or y + h < b or b + d < y)

    def test_a_long_chain(self):
        chain = {f"S{i}": {"Type": "Pass", "Next": f"S{i + 1}"} for i in range(5000)}
        chain["S5000"] = {"Type": "Succeed"}
        result = graph("--svg", "-", "-", text=json.dumps({"StartAt": "S0", "States": chain}))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.count("<rect"), 5002)

    def test_refusals(self):
        result = graph("-", text='{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}')
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("Missing 'Next' target: B at /States/A/Next (line 1, column", result.stderr)
        self.assertEqual(graph("/nowhere/at/all").returncode, 1)
        self.assertEqual(graph().returncode, 2)
        self.assertEqual(graph("--nope", "-").returncode, 2)
        self.assertEqual(graph("--help").returncode, 0)
        result = graph("--endpoint", "http://127.0.0.1:1", "arn:aws:states:us-east-1:012345678901:execution:m:e")
        self.assertEqual(result.returncode, 1)
        self.assertIn("http://127.0.0.1:1: ", result.stderr)


class Executions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.server.work_role("service-role/machines")
        cls.states = cls.server.client("stepfunctions")
        cls.keys = {"SPYHOP_ACCESS_KEY_ID": ACCESS_KEY, "SPYHOP_SECRET_ACCESS_KEY": SECRET_KEY}
        cls.machine = cls.states.create_state_machine(name="film", definition=json.dumps(FILM),
                                                      roleArn=ROLE)["stateMachineArn"]

    def run_to_end(self, machine, **words):
        arn = self.states.start_execution(stateMachineArn=machine, input=json.dumps(words))["executionArn"]
        until = time.monotonic() + LIMIT_SECONDS
        while self.states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        return arn

    def draw(self, arn, *words):
        result = graph("--endpoint", self.server.endpoint, *words, arn, **self.keys)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def test_succeeded(self):
        arn = self.run_to_end(self.machine, size=2, arn="arn:aws:states:us-east-1:012345678901:execution:a:b",
                              items=[1, 2])
        drawn = classes(self.draw(arn, "--svg", "-"))
        self.assertEqual(drawn, {
            "Look": "succeeded", "Rest": "unseen", "Both": "succeeded", "Picture": "caught", "No picture": "succeeded",
            "Sound": "succeeded", "Silence": "succeeded", "No <sound> & noise": "unseen", "Done": "succeeded",
            "One": "succeeded", "Give up": "unseen"})
        text = self.draw(arn)
        self.assertIn("│ Picture  Task  │ ↯ caught", text)
        self.assertIn("│ One  Pass  │ ✔ succeeded ×2", text)

    def test_failed_inside(self):
        arn = self.run_to_end(self.machine, size=2, broken=1, items=[],
                              arn="arn:aws:states:us-east-1:012345678901:execution:a:b")
        drawn = classes(self.draw(arn, "--svg", "-"))
        self.assertEqual({name: drawn[name] for name in ("Both", "Sound", "No <sound> & noise", "Done", "Give up")},
                         {"Both": "failed", "Sound": "succeeded", "No <sound> & noise": "failed", "Done": "unseen",
                          "Give up": "unseen"})

    def test_a_loop_and_a_fail(self):
        text = self.draw(self.run_to_end(self.machine, size=0))
        self.assertIn("│ Look  Choice  │ ✔ succeeded ×2", text)
        self.assertIn("│ Give up  Fail  │ ✘ failed", text)

    def test_running_and_stopped(self):
        machine = self.states.create_state_machine(name="wait", roleArn=ROLE, definition=json.dumps(
            {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1000, "End": True}}}))["stateMachineArn"]
        arn = self.states.start_execution(stateMachineArn=machine)["executionArn"]
        until = time.monotonic() + LIMIT_SECONDS
        while "running" not in self.draw(arn):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        self.states.stop_execution(executionArn=arn)
        self.assertIn("│ Wait  Wait  │ ■ stopped", self.draw(arn))

    def test_refusals(self):
        result = graph("--endpoint", self.server.endpoint, self.machine.replace("stateMachine", "execution") + ":no",
                       **self.keys)
        self.assertEqual(result.returncode, 1)
        self.assertIn("ExecutionDoesNotExist", result.stderr)
        result = graph("--endpoint", self.server.endpoint, self.machine.replace("stateMachine", "execution") + ":no",
                       SPYHOP_ACCESS_KEY_ID=ACCESS_KEY, SPYHOP_SECRET_ACCESS_KEY="wrong")
        self.assertEqual(result.returncode, 1)
        self.assertIn("InvalidSignature", result.stderr)


if __name__ == "__main__":
    unittest.main()
