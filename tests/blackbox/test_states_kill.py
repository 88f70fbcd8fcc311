# SPDX-License-Identifier: LGPL-2.1-or-later
"""`kill -9` at random instants while state machines of ten kinds run: each ends as one that was left alone, its history has
no gap, and no command, job or execution of ours is started twice.

SPYHOP_KILLS says how often (4), SPYHOP_KILL_EXECUTIONS under how many executions (50), SPYHOP_KILL_PAUSE how long their
waits are (1 s). The full measure, some minutes:
SPYHOP_KILLS=100 SPYHOP_KILL_EXECUTIONS=200 SPYHOP_KILL_PAUSE=3 test_states_kill.py
It prints how many were running when it was killed; where fewer than half are, the next ones are started first."""
import collections
import datetime
import json
import os
import pathlib
import random
import re
import statistics
import time
import unittest
import warnings

from server import Server
from states_case import Executions, machine

KILLS = int(os.environ.get("SPYHOP_KILLS", "4"))
EXECUTIONS = int(os.environ.get("SPYHOP_KILL_EXECUTIONS", "50"))
PAUSE = int(os.environ.get("SPYHOP_KILL_PAUSE", "1"))
LIMIT_SECONDS = 120
ROLE = "arn:aws:iam::012345678901:role/machines"
SSM = "arn:aws:states:::aws-sdk:ssm:"


def chain(*states, prefix="S"):
    """States one after the other, S1, S2, …"""
    named = {f"{prefix}{i}": dict(state, Next=f"{prefix}{i + 1}") for i, state in enumerate(states, 1)}
    last = named[f"{prefix}{len(states)}"]
    del last["Next"]
    last["End"] = True
    return machine(prefix + "1", **named)


def wait(seconds):
    return {"Type": "Wait", "Seconds": PAUSE * seconds}


def loop():
    """Counts to 400, with a wait at 200."""
    return machine("Add", Add={"Type": "Pass", "Next": "Enough", "Parameters": {
        "name.$": "$.name", "pause.$": "$.pause", "count.$": "States.MathAdd($.count, 1)"}},
                   Enough={"Type": "Choice", "Default": "Add",
                           "Choices": [{"Variable": "$.count", "NumericEquals": 200, "Next": "Pause"},
                                       {"Variable": "$.count", "NumericEquals": 400, "Next": "Done"}]},
                   Pause={"Type": "Wait", "SecondsPath": "$.pause", "Next": "Add"}, Done={"Type": "Succeed"})


def parallel():
    branches = [chain({"Type": "Pass", "Result": i}, wait(i), {"Type": "Pass"}, wait(1), prefix=f"B{i}") for i in range(4)]
    return chain({"Type": "Parallel", "Branches": branches}, {"Type": "Pass"})


def mapped():
    return chain({"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 4,
                  "ItemSelector": {"item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"},
                  "ItemProcessor": chain({"Type": "Pass"}, wait(1), {"Type": "Pass"}, prefix="I")})


def command(folder):
    """One line in a file a run: it tells how often it ran."""
    text = f"States.Array(States.Format('echo {{}} >> {folder}/{{}}; sleep 1; echo {{}}', $.name, $.name, $.name))"
    return machine(
        "Send", Send={"Type": "Task", "Resource": SSM + "sendCommand", "ResultPath": "$.sent", "Next": "Wait", "Parameters": {
            "InstanceIds.$": "States.Array($.instance)", "DocumentName": "AWS-RunShellScript",
            "Parameters": {"commands.$": text}}},
        Wait=dict(wait(1), Next="Ask"),
        Ask={"Type": "Task", "Resource": SSM + "getCommandInvocation", "ResultPath": "$.asked", "Next": "Ended", "Parameters": {
            "CommandId.$": "$.sent.Command.CommandId", "InstanceId.$": "$.instance"}},
        Ended={"Type": "Choice", "Default": "Out", "Choices": [
            {"Variable": "$.asked.Status", "StringEquals": status, "Next": "Wait"} for status in ("Pending", "InProgress")]},
        Out={"Type": "Pass", "End": True, "Parameters": {
            "status.$": "$.asked.Status", "out.$": "$.asked.StandardOutputContent"}})


def job():
    """A job that fails, waited for, caught."""
    return machine("Job", Job={
        "Type": "Task", "Resource": "arn:aws:states:::mediaconvert:createJob.sync", "Next": "Impossible",
        "Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "Caught"}],
        "Parameters": {"Role": ROLE, "UserMetadata": {"Name.$": "$.name"}, "Settings": {
            "OutputGroups": [{
                "Outputs": [{"ContainerSettings": {"Container": "MP4"}, "NameModifier": "_x", "VideoDescription": {
                    "CodecSettings": {"Codec": "H_264", "H264Settings": {"MaxBitrate": 1000000, "RateControlMode": "QVBR"}}}}],
                "OutputGroupSettings": {"Type": "FILE_GROUP_SETTINGS", "FileGroupSettings": {"Destination": "s3://jobs/out/"}}}],
            "Inputs": [{"FileInput": "s3://jobs/none.mp4"}]}}},
        Impossible={"Type": "Fail"}, Caught={"Type": "Pass", "End": True, "Parameters": {"error.$": "$.error.Error"}})


def retried():
    return machine("Ask", Ask={
        "Type": "Task", "Resource": SSM + "getCommandInvocation", "End": True,
        "Parameters": {"CommandId": "00000000-0000-0000-0000-000000000000", "InstanceId.$": "$.instance"},
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": PAUSE, "MaxAttempts": 3, "BackoffRate": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]},
        Caught={"Type": "Fail", "Error": "Gone", "Cause": "no such command"})


def nested(child):
    return chain(wait(1), {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "OutputPath": "$.Output",
                           "Parameters": {"StateMachineArn": child, "Input": {"name.$": "$.name"}}})


class Killed(Executions, unittest.TestCase):
    paging = {"maxResults": 1000}

    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)  # boto3 leaves its connections to the collector
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.server.work_role("machines")
        self.random = random.Random(6)
        self.folder = pathlib.Path(self.server.folder) / "runs"
        self.folder.mkdir()
        self.connect()
        self.server.client("s3").create_bucket(Bucket="jobs")
        self.child = self.create("child", chain({"Type": "Pass"}, wait(2), {"Type": "Pass"}))
        self.kinds = {
            "passes": chain(*[{"Type": "Pass"}] * 30, wait(2), *[{"Type": "Pass"}] * 30), "loop": loop(), "parallel": parallel(),
            "waits": chain(wait(1), {"Type": "Pass"}, wait(2), {"Type": "Pass"}, wait(1)), "map": mapped(),
            "timestamp": chain({"Type": "Wait", "TimestampPath": "$.until"}, {"Type": "Pass"}), "command": command(self.folder),
            "job": job(), "retried": retried(), "nested": nested(self.child)}
        self.machines = {kind: self.create(kind, definition) for kind, definition in self.kinds.items()}

    def connect(self):
        self.sfn = self.server.client("stepfunctions")

    def create(self, name, definition):
        return self.sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]

    def start(self, kind, name):
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4 * PAUSE)
        given = {"name": name, "count": 0, "pause": 3 * PAUSE, "items": list(range(10)), "instance": self.server.instance_id,
                 "until": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return self.sfn.start_execution(stateMachineArn=self.machines[kind], name=name, input=json.dumps(given))["executionArn"]

    def running(self):
        count = 0
        for arn in self.machines.values():
            count += len(self.sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING", maxResults=1000)["executions"])
        return count

    def wait_for_end(self):
        until = time.monotonic() + LIMIT_SECONDS
        while self.running():
            self.assertLess(time.monotonic(), until, "executions stand still")
            time.sleep(0.1)

    def told(self, arn, name):
        """How it ended, without what differs from one execution to the next."""
        answer = self.sfn.describe_execution(executionArn=arn)
        output = answer.get("output", "").replace(name, "NAME")
        return (answer["status"], re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", output), answer.get("error"), answer.get("cause"))

    def check_history(self, arn):
        """Gapless; returns how often each event of each state is there."""
        events = self.history(arn)
        self.assertEqual([e["id"] for e in events], list(range(1, len(events) + 1)), arn)
        self.assertTrue(all(e["previousEventId"] < e["id"] for e in events), arn)
        self.assertTrue(all(a["timestamp"] <= b["timestamp"] for a, b in zip(events, events[1:])), arn)
        ends = [e["type"] for e in events if e["type"] in ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted",
                                                           "ExecutionTimedOut")]
        self.assertEqual((len(ends), events[-1]["type"]), (1, ends[0]), arn)
        found = collections.Counter()
        for event in events:
            details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {}
            found[event["type"], details.get("name")] += 1
        return found

    def check(self, kind, arn, name, wanted):
        self.assertEqual(self.told(arn, name), wanted[kind][0], arn)
        found = self.check_history(arn)
        if kind == "command":  # asks until it has ended, more often or less
            self.assertEqual(set(found), set(wanted[kind][1]), arn)
        else:
            self.assertEqual(found, wanted[kind][1], arn)

    def undisturbed(self):
        """What each kind does when it is left alone."""
        started = {kind: self.start(kind, "alone-" + kind) for kind in self.kinds}
        self.wait_for_end()
        found = {kind: (self.told(arn, "alone-" + kind), self.check_history(arn)) for kind, arn in started.items()}
        self.assertEqual({kind: ended[0][0] for kind, ended in found.items()},
                         {kind: "FAILED" if kind == "retried" else "SUCCEEDED" for kind in self.kinds})
        return found

    def kill(self, seen):
        time.sleep(self.random.uniform(0, 0.7) if self.random.random() < 0.7 else self.random.uniform(0, 0.05))
        running = self.running()
        if running < EXECUTIONS / 2:
            return False
        seen.append(running)
        self.server.kill()
        self.server.start()
        self.connect()
        return True

    def check_once(self, started):
        """Nothing of ours ran twice, and nothing not at all."""
        names = [name for _, _, name in started]
        for kind, _, name in started:
            if kind == "command":
                self.assertEqual((self.folder / name).read_text(), name + "\n")
        jobs = collections.Counter()
        for page in self.server.client("mediaconvert").get_paginator("list_jobs").paginate(MaxResults=20):
            jobs.update(job["UserMetadata"]["Name"] for job in page["Jobs"])
        pages = self.sfn.get_paginator("list_executions").paginate(stateMachineArn=self.child)
        children = collections.Counter(
            json.loads(self.sfn.describe_execution(executionArn=e["executionArn"])["input"])["name"]
            for page in pages for e in page["executions"])
        for kind, found in (("job", jobs), ("nested", children)):
            wanted = {name: 1 for k, _, name in started if k == kind}
            self.assertEqual({name: n for name, n in found.items() if name in names}, wanted, kind)

    def test_killed_at_random_instants(self):
        wanted, seen, rounds = self.undisturbed(), [], 0
        while len(seen) < KILLS:
            self.assertLess(rounds, KILLS + 3, "too few are running at any time")
            rounds += 1
            started = []
            for i in range(EXECUTIONS):
                kind = list(self.kinds)[i % len(self.kinds)]
                name = f"{kind}-{rounds}-{i}"
                started.append((kind, self.start(kind, name), name))
            while len(seen) < KILLS and self.kill(seen):
                pass
            self.wait_for_end()
            for kind, arn, name in started:
                self.check(kind, arn, name, wanted)
            self.check_once(started)
        print(f"{len(seen)} kills in {rounds} rounds under {EXECUTIONS} executions of {len(self.kinds)} kinds; running when killed: "
              f"{statistics.median(seen):.0f} at the median, {min(seen)} to {max(seen)}")


if __name__ == "__main__":
    unittest.main()
