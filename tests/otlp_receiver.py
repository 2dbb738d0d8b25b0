"""An OTLP receiver of logs, on a port of its own choosing: prints the port, then each log record's body on a line.

Ends with its standard input, and so with whoever started it.
"""

import concurrent.futures
import json
import sys
import threading

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc


class Receiver(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self) -> None:
        self.one_at_a_time = threading.Lock()

    def Export(  # noqa: N802, the name that the protocol gives it
        self, request: logs_service_pb2.ExportLogsServiceRequest, _context: grpc.ServicerContext
    ) -> logs_service_pb2.ExportLogsServiceResponse:
        with self.one_at_a_time:
            for resource in request.resource_logs:
                about = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        line = {"service": about.get("service.name"), "body": record.body.string_value}
                        print(json.dumps(line), flush=True)
        return logs_service_pb2.ExportLogsServiceResponse()


def main() -> None:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Receiver(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(grace=None)


if __name__ == "__main__":
    main()
