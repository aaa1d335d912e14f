#!/usr/bin/env python3
"""Every row of docs/errors.md: code, details and HTTP twin, seen by grpcio and urllib."""
import json
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.request

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from harness import Daemon
from tern.v1 import control_pb2, control_pb2_grpc, inference_pb2, inference_pb2_grpc

SIMULATED = """
engine: {simulate: true}
scheduler: {max_num_seqs: 1, max_num_batched_tokens: 512, policy: priority}
limits: {max_queued_requests: 2, max_queued_tokens: 2000}
http: {listen: 127.0.0.1:0}
"""
DETAILS = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo,
           error_details_pb2.ResourceInfo, error_details_pb2.PreconditionFailure)
Code = grpc.StatusCode


class Server:
    """A simulated ternd and stubs for it."""

    def __init__(self, config=SIMULATED, points="", wait=True, args=()):
        env = {**os.environ, "TERN_FAIL_POINTS": points}
        self.daemon = Daemon(*args, model=None, config=config, listen="127.0.0.1:0", env=env)
        self.wait = wait

    def __enter__(self):
        if self.wait:
            self.daemon.wait_ready()
        else:  # bound, not loaded
            while not (found := re.search(r"listening on ([^\s,]+)", self.daemon.log())):
                time.sleep(0.01)
            self.daemon.address = found.group(1)
        self.channel = grpc.insecure_channel(self.daemon.address)
        self.inference = inference_pb2_grpc.InferenceStub(self.channel)
        self.control = control_pb2_grpc.ControlStub(self.channel)
        self.http = "http://" + re.search(r"HTTP on ([^\s,]+)", self.daemon.log()).group(1)
        return self

    def __exit__(self, *exception):
        self.channel.close()
        self.daemon.__exit__(*exception)

    def request(self, tokens=20, prompt=5, **fields):
        request = inference_pb2.GenerateRequest(**fields)
        request.token_ids.ids.extend([104] * prompt)
        if tokens:
            request.sampling.stopping.max_tokens = tokens
        request.sampling.stopping.ignore_eos = True
        request.sampling.random.temperature = 0
        return request

    def busy(self, tokens=4000, **fields):
        """A stream that holds the only place of the batch; its first token has come."""
        call = self.inference.Generate(self.request(tokens, **fields))
        for event in call:
            if event.HasField("delta"):
                break
        return call

    def queued(self, **fields):
        call = self.inference.Generate(self.request(4000, **fields))
        assert next(iter(call)).HasField("accepted")
        return call

    def post(self, body, headers={}, path="/v1/completions"):
        body = {"prompt": [104] * 5, "max_tokens": 20, "ignore_eos": True, "temperature": 0, **body}
        request = urllib.request.Request(self.http + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response), response.headers
        except urllib.error.HTTPError as error:
            return error.code, json.load(error), error.headers


def end_of(call):
    """The status of a call that must fail: code and details by type."""
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        assert status is not None, f"no details: {error.code()} {error.details()}"
        assert status.code == error.code().value[0] and status.message == error.details()
        found = {}
        for detail in status.details:
            for kind in DETAILS:
                if detail.Is(kind.DESCRIPTOR):
                    found[kind.__name__] = kind()
                    detail.Unpack(found[kind.__name__])
        assert found["ErrorInfo"].domain == "tern.dev"
        return error.code(), found, error
    raise AssertionError("the call succeeded")


def check(call, code, reason, *details, before_metadata=True):
    got, found, error = end_of(call)
    info = found["ErrorInfo"]
    assert (got, info.reason) == (code, reason), (got, info, error.details())
    assert set(found) == {"ErrorInfo", *details}, set(found)
    if "RetryInfo" in found:
        delay = found["RetryInfo"].retry_delay
        assert 0 < delay.seconds + delay.nanos / 1e9 <= 60, delay
    if before_metadata:  # a router may send the request elsewhere
        assert not call.initial_metadata(), call.initial_metadata()
    return found


def check_http(answer, status, reason, code=None, retry=False):
    got, body, headers = answer
    error = body["error"]
    assert (got, error["reason"]) == (status, reason), answer
    assert error["code"] == (code or reason) and error["message"] and error["type"]
    assert (int(headers["Retry-After"]) >= 1 if retry else headers["Retry-After"] is None), headers.items()
    return error


def bad_parameter():
    with Server() as s:
        request = s.request()
        request.sampling.random.temperature = 9
        found = check(s.inference.Generate(request), Code.INVALID_ARGUMENT, "PARAM_OUT_OF_RANGE", "BadRequest")
        violation, = found["BadRequest"].field_violations
        assert violation.field == "sampling.random.temperature" and "is 9" in violation.description
        assert check_http(s.post({"temperature": 9}), 400, "PARAM_OUT_OF_RANGE")["param"] == "temperature"


def conflicting_parameters():
    with Server() as s:
        request = s.request(tokens=5)
        request.sampling.stopping.min_tokens = 6
        check(s.inference.Generate(request), Code.INVALID_ARGUMENT, "CONSTRAINT_CONFLICT", "BadRequest")
        check_http(s.post({"max_tokens": 5, "min_tokens": 6}), 400, "CONSTRAINT_CONFLICT")


def context_exceeded():
    with Server() as s:
        found = check(s.inference.Generate(s.request(tokens=5000)), Code.OUT_OF_RANGE, "CONTEXT_EXCEEDED")
        metadata = found["ErrorInfo"].metadata
        assert (metadata["limit"], metadata["value"]) == ("4096", "5005"), metadata
        check_http(s.post({"max_tokens": 5000}), 400, "CONTEXT_EXCEEDED", "context_length_exceeded")


def unknown_model():
    with Server() as s:
        found = check(s.inference.Generate(s.request(model="other")), Code.NOT_FOUND, "MODEL_NOT_FOUND",
                      "ResourceInfo")
        assert found["ResourceInfo"].resource_name == "other"
        check_http(s.post({"model": "other"}), 404, "MODEL_NOT_FOUND", "model_not_found")


def loading():
    with Server(points="engine.load=delay:3000", wait=False) as s:
        found = check(s.inference.Generate(s.request()), Code.UNAVAILABLE, "LOADING", "RetryInfo")
        assert "stage" in found["ErrorInfo"].metadata
        check_http(s.post({}), 503, "LOADING", retry=True)


def draining():
    with Server() as s:
        busy = s.busy()
        s.daemon.process.terminate()
        while "draining:" not in s.daemon.log():
            time.sleep(0.01)
        check(s.inference.Generate(s.request()), Code.UNAVAILABLE, "DRAINING", "RetryInfo")
        check_http(s.post({}), 503, "DRAINING", retry=True)
        busy.cancel()


def queue_full():
    with Server() as s:
        calls = [s.busy(), s.queued(), s.queued()]
        found = check(s.inference.Generate(s.request()), Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", "RetryInfo")
        assert found["ErrorInfo"].metadata["limit"] == "2"
        check_http(s.post({}), 429, "QUEUE_FULL", "rate_limit_exceeded", retry=True)
        for call in calls:
            call.cancel()


def queue_tokens_full():
    with Server() as s:
        calls = [s.busy(), s.queued()]
        request = s.request(prompt=1999)
        found = check(s.inference.Generate(request), Code.RESOURCE_EXHAUSTED, "QUEUE_TOKENS_FULL", "RetryInfo")
        assert found["ErrorInfo"].metadata["limit"] == "2000"
        check_http(s.post({"prompt": [104] * 1999}), 429, "QUEUE_TOKENS_FULL", "rate_limit_exceeded", retry=True)
        for call in calls:
            call.cancel()


def deadline_infeasible():
    with Server(SIMULATED + "simulate: {step_base: 20ms}\n") as s:
        busy = s.busy()
        time.sleep(0.5)  # it learns what steps cost
        request = s.request()
        found = check(s.inference.Generate(request, timeout=0.5), Code.RESOURCE_EXHAUSTED, "DEADLINE_INFEASIBLE",
                      "RetryInfo")
        assert int(found["ErrorInfo"].metadata["needed_ms"]) > int(found["ErrorInfo"].metadata["left_ms"])
        check_http(s.post({}, {"X-Request-Timeout-Ms": "500"}), 429, "DEADLINE_INFEASIBLE", "rate_limit_exceeded",
                   retry=True)
        busy.cancel()


def deadline_in_the_queue():
    # The one that runs ends sooner than the engine expects of answers: nobody is refused at once.
    with Server() as s:
        busy = s.busy()
        call = s.inference.Generate(s.request(), timeout=1)
        found = check(call, Code.DEADLINE_EXCEEDED, "QUEUE_TIMEOUT", before_metadata=False)
        assert found["ErrorInfo"].metadata["completion_tokens"] == "0"
        check_http(s.post({}, {"X-Request-Timeout-Ms": "1000"}), 504, "QUEUE_TIMEOUT")
        busy.cancel()


def deadline_while_generating():
    with Server() as s:
        call = s.inference.Generate(s.request(4000), timeout=1)
        found = check(call, Code.DEADLINE_EXCEEDED, "GENERATION_TIMEOUT", before_metadata=False)
        metadata = found["ErrorInfo"].metadata
        assert int(metadata["completion_tokens"]) > 50 and metadata["prompt_tokens"] == "5", metadata
        unary = s.inference.GenerateUnary.future(s.request(4000), timeout=1)
        try:
            unary.result()
            raise AssertionError("it cannot end in time")
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            info = error_details_pb2.ErrorInfo()
            assert error.code() == Code.DEADLINE_EXCEEDED and status.details[0].Unpack(info)
            assert info.reason == "GENERATION_TIMEOUT" and int(info.metadata["completion_tokens"]) > 50
        error = check_http(s.post({"max_tokens": 4000}, {"X-Request-Timeout-Ms": "1000"}), 504, "GENERATION_TIMEOUT")
        assert int(error["metadata"]["completion_tokens"]) > 50


def aborted():
    with Server() as s:
        busy = s.busy(request_id="mine")
        result = s.control.Abort(control_pb2.AbortRequest(request_ids=["mine"]))
        assert result.outcomes["mine"] == control_pb2.ABORT_OUTCOME_ABORTED
        check(busy, Code.CANCELLED, "ABORTED", before_metadata=False)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(s.post({"max_tokens": 4000, "request_id": "http"})))
        waiting.start()
        while s.control.Abort(control_pb2.AbortRequest(request_ids=["http"])).outcomes["http"] != \
                control_pb2.ABORT_OUTCOME_ABORTED:
            time.sleep(0.02)
        waiting.join()
        check_http(answers[0], 499, "ABORTED")


def shed_for_a_higher_class():
    with Server() as s:
        bulk = inference_pb2.SchedulingHints(priority=inference_pb2.PRIORITY_CLASS_BULK)
        urgent = inference_pb2.SchedulingHints(priority=inference_pb2.PRIORITY_CLASS_INTERACTIVE)
        calls = [s.busy(), s.queued(), s.queued(scheduling=bulk)]
        calls.append(s.queued(scheduling=urgent))
        found = check(calls[2], Code.UNAVAILABLE, "PREEMPTED_SHED", "RetryInfo", before_metadata=False)
        assert found["RetryInfo"].retry_delay.seconds == 1
        calls[1].cancel()
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(s.post({"priority": "bulk"})))
        time.sleep(0.1)
        waiting.start()
        time.sleep(0.3)
        calls.append(s.queued(scheduling=urgent))
        waiting.join()
        check_http(answers[0], 503, "PREEMPTED_SHED", retry=True)
        for call in calls:
            call.cancel()


def feature_disabled():
    with Server() as s:
        request = s.request()
        request.sampling.constraints.json_schema = "{}"
        found = check(s.inference.Generate(request), Code.UNIMPLEMENTED, "FEATURE_DISABLED", "BadRequest",
                      "PreconditionFailure")
        assert found["BadRequest"].field_violations[0].field == "sampling.constraints.json_schema"
        check_http(s.post({"response_format": {"type": "json_object"}}, path="/v1/completions"), 400,
                   "FEATURE_DISABLED")


def request_id_in_use():
    with Server() as s:
        busy = s.busy(request_id="mine")
        check(s.inference.Generate(s.request(request_id="mine")), Code.ALREADY_EXISTS, "REQUEST_ID_IN_USE")
        check_http(s.post({"request_id": "mine"}), 409, "REQUEST_ID_IN_USE")
        busy.cancel()


def reflection():
    """A call made of nothing but what the server tells of itself, by both names of the protocol."""
    with Server() as s:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(s.channel))
        method = pool.FindServiceByName("tern.v1.Control").FindMethodByName("GetServerInfo")
        request, answer = (message_factory.GetMessageClass(t) for t in (method.input_type, method.output_type))
        call = s.channel.unary_unary("/tern.v1.Control/GetServerInfo", request_serializer=request.SerializeToString,
                                     response_deserializer=answer.FromString)
        assert call(request()).version
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        for version in ("v1", "v1alpha"):
            ask = s.channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                                          request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                                          response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
            names = {found.name for found in next(ask(iter([question]))).list_services_response.service}
            assert {"tern.v1.Inference", "tern.v1.Control", "grpc.health.v1.Health",
                    "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"} == names, names


def slow_consumer():
    config = SIMULATED.replace("limits: {", "limits: {max_buffered_tokens: 64, max_reader_pause: 500ms, ")
    config = config.replace("max_num_seqs: 1", "max_num_seqs: 2")
    with Server(config) as s:
        request = s.request(4000)
        request.response.logprobs = 20
        options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024)]
        with grpc.insecure_channel(s.daemon.address, options) as channel:
            slow = inference_pb2_grpc.InferenceStub(channel).Generate(request)
            next(iter(slow))
            s.busy(tokens=1500)  # others go on
            deadline = time.time() + 30
            while "reason=SLOW_CONSUMER" not in s.daemon.log():
                assert time.time() < deadline, s.daemon.log()
                time.sleep(0.05)
            check(slow, Code.RESOURCE_EXHAUSTED, "SLOW_CONSUMER", "RetryInfo", before_metadata=False)


def by_fail_point(point, code, reason, http, *details, skip=0, retry=False, before_metadata=False):
    def test():
        with Server(points=f"{point}=fail:{code.value[0]}:{reason}" + (f"@{skip}" if skip else "")) as s:
            check(s.inference.Generate(s.request()), code, reason, *details, before_metadata=before_metadata)
            check_http(s.post({}), http, reason, retry=retry)
            assert s.daemon.used_blocks() == 0
    test.__name__ = f"{reason.lower()} (by fail point)"
    return test


TESTS = (bad_parameter, conflicting_parameters, context_exceeded, unknown_model, loading, draining, queue_full,
         queue_tokens_full, deadline_infeasible, deadline_in_the_queue, deadline_while_generating, aborted,
         shed_for_a_higher_class, feature_disabled, request_id_in_use, reflection, slow_consumer,
         by_fail_point("engine.token", Code.INTERNAL, "NUMERIC_FAULT", 500, skip=2),  # the warm-up's
         by_fail_point("engine.step", Code.INTERNAL, "DEVICE_FAULT", 500),
         by_fail_point("engine.step", Code.UNAVAILABLE, "WORKER_LOST", 503, "RetryInfo", retry=True),
         by_fail_point("engine.submit", Code.UNAUTHENTICATED, "NO_CREDENTIAL", 401, before_metadata=True),
         by_fail_point("engine.submit", Code.PERMISSION_DENIED, "NOT_ALLOWED", 403, before_metadata=True))

if __name__ == "__main__":
    failed = 0
    for test in TESTS:
        if sys.argv[1:] and not any(word in test.__name__ for word in sys.argv[1:]):
            continue
        start = time.time()
        try:
            test()
            print(f"ok   {test.__name__} ({time.time() - start:.1f} s)", flush=True)
        except Exception as error:  # every row is tried
            failed += 1
            print(f"FAIL {test.__name__}: {type(error).__name__}: {error}", flush=True)
    sys.exit(1 if failed else 0)
