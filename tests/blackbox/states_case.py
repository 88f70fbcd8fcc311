# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of Step Functions share: a server for a class of tests, executions that are waited for, and requests
that the client's own model may not know."""
import json
import time
import urllib.parse


from server import ServerCase, signed_request

ROLE_NAME = "service-role/machines"
ROLE = "arn:aws:iam::012345678901:role/" + ROLE_NAME
LIMIT_SECONDS = 60


def machine(start, **states):
    return {"StartAt": start, "States": states}


def signed(server, action, arguments, prefix=""):
    """prefix: what clients put before the host's name for some actions."""
    host = prefix + urllib.parse.urlsplit(server.endpoint).netloc
    return signed_request("states", "POST", "http://%s/" % host, json.dumps(arguments), {
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AWSStepFunctions." + action, "Host": host},
        region=server.region)


class Executions:
    """For a test case with a client in self.sfn."""
    limit_seconds = LIMIT_SECONDS
    pause_seconds = 0.02
    paging = {}  # maxResults=…

    def describe(self, arn):
        return self.sfn.describe_execution(executionArn=arn)

    def finish(self, arn):
        until = time.monotonic() + self.limit_seconds
        while True:
            answer = self.describe(arn)
            if answer["status"] != "RUNNING":
                return answer
            if time.monotonic() > until:
                self.fail("%s still runs\n%s" % (arn, self.history(arn)[-50:]))
            time.sleep(self.pause_seconds)

    def history(self, arn):
        pages = self.sfn.get_paginator("get_execution_history").paginate(executionArn=arn, **self.paging)
        return [event for page in pages for event in page["events"]]


class StatesCase(Executions, ServerCase):
    roles = (ROLE_NAME,)

    def connect(self):
        self.sfn = self.server.client("stepfunctions")
