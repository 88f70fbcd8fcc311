# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Python runtime of Lambda functions: as bootstrap.mjs is that of Node.js. Knows handlers, the context, errors and
the lines of logging and print; nothing of layers' extensions."""
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime/"
ENV = os.environ


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])
        client = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = json.loads(client) if client else None
        self.identity = None
        self.function_name = ENV["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = ENV["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = ENV["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = ENV["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = ENV["AWS_LAMBDA_LOG_STREAM_NAME"]

    def get_remaining_time_in_millis(self):
        return max(0, self.deadline_ms - int(time.time() * 1000))


class Handler(logging.Handler):
    request_id = ""

    def emit(self, record):
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = self.format(record).replace("\n", "\r")
        print(f"[{record.levelname}]\t{moment}.{int(record.msecs):03d}Z\t{self.request_id}\t{text}", flush=True)


def shape(error):
    trace = traceback.format_list(traceback.extract_tb(error.__traceback__))
    return {"errorMessage": str(error), "errorType": type(error).__name__, "requestId": Handler.request_id,
            "stackTrace": trace}


class Api:
    def __init__(self):
        self.connection = http.client.HTTPConnection(ENV["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method, path, body=None, headers=None):
        self.connection.request(method, API + path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def fail(self, path, body):
        print(f"[ERROR] {body['errorType']}: {body['errorMessage']}\r" + "\r".join(
            line.rstrip().replace("\n", "\r") for line in body["stackTrace"]), flush=True)
        self.call("POST", path, json.dumps(body),
                  {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": body["errorType"]})


def find_handler():
    module, _, name = ENV["_HANDLER"].rpartition(".")
    if not module:
        raise ValueError(f"Bad handler '{ENV['_HANDLER']}': not enough values to unpack (expected 2, got 1)")
    return getattr(importlib.import_module(module.replace("/", ".")), name)


def start(api):
    try:
        return find_handler()
    except BaseException as error:
        body = shape(error)
        if isinstance(error, ImportError):
            body.update(errorType="Runtime.ImportModuleError",
                        errorMessage=f"Unable to import module '{ENV['_HANDLER'].rpartition('.')[0]}': {error}")
        elif isinstance(error, AttributeError):
            body.update(errorType="Runtime.HandlerNotFound",
                        errorMessage=f"Handler '{ENV['_HANDLER'].rpartition('.')[2]}' missing on module "
                                     f"'{ENV['_HANDLER'].rpartition('.')[0]}'")
        elif isinstance(error, SyntaxError):
            body.update(errorType="Runtime.UserCodeSyntaxError")
        api.fail("init/error", body)
        sys.exit(1)


def serve(api, handler):
    _, headers, payload = api.call("GET", "invocation/next")
    context = Context(headers)
    Handler.request_id = context.aws_request_id
    ENV["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
    try:
        body = json.dumps(handler(json.loads(payload), context), ensure_ascii=False).encode()
    except Exception as error:
        api.fail(f"invocation/{context.aws_request_id}/error", shape(error))
        return
    sys.stdout.flush()
    api.call("POST", f"invocation/{context.aws_request_id}/response", body, {"Content-Type": "application/json"})


def main():
    sys.path[0:1] = [ENV["LAMBDA_TASK_ROOT"], "/opt/python"]
    logging.getLogger().addHandler(Handler())
    api = Api()
    handler = start(api)
    while True:
        serve(api, handler)


main()
