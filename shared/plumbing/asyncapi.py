"""AsyncAPI 3.0 document of a service: a channel for each topic, every event with its schema, who sends, who receives.

FastStream's own generator is not used here: it knows one message for each publisher, and of two data types with the
same class name, such as the event and the intake type `ContractSigned`, it keeps the schema of one.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from shared.contracts.catalogue import CATALOGUE, events_topic
from shared.contracts.envelope import Envelope, Event
from shared.plumbing.cloudevents import CloudEvent

ASYNCAPI = "3.0.0"
Document = dict[str, Any]


class _Described:
    """A document under construction."""

    def __init__(self) -> None:
        self.channels: Document = {}
        self.operations: Document = {}
        self.messages: Document = {}
        self.schemas: Document = {}

    def talk(self, action: str, topic: str, title: str, models: Sequence[type[BaseModel]]) -> None:
        """Messages of a topic, and that this service sends or receives them."""
        wires = [self._message(model) for model in models]
        self.channels[topic] = {
            "address": topic,
            "title": title,
            "messages": {wire: {"$ref": f"#/components/messages/{wire}"} for wire in wires},
            "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
        }
        self.operations[f"{action}.{topic}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [{"$ref": f"#/channels/{topic}/messages/{wire}"} for wire in wires],
        }

    def _message(self, model: type[BaseModel]) -> str:
        wire = str(getattr(model, "TYPE", model.__name__))
        frame = Envelope if issubclass(model, Event) else CloudEvent
        self._schema(frame.__name__, frame)
        self._schema(wire, model)
        self.messages[wire] = {
            "name": wire,
            "title": model.__name__,
            "summary": (inspect.getdoc(model) or "").strip().partition("\n")[0],
            "contentType": "application/cloudevents+json",
            "payload": {
                "allOf": [
                    {"$ref": f"#/components/schemas/{frame.__name__}"},
                    {
                        "type": "object",
                        "properties": {"type": {"const": wire}, "data": {"$ref": f"#/components/schemas/{wire}"}},
                        "required": ["type", "data"],
                    },
                ]
            },
        }
        return wire

    def _schema(self, name: str, model: type[BaseModel]) -> None:
        schema = model.model_json_schema(ref_template=f"#/components/schemas/{name}.{{model}}")
        for inner, below in schema.pop("$defs", {}).items():
            self.schemas[f"{name}.{inner}"] = below
        self.schemas[name] = schema


def describe(service: str, version: str, topic_prefix: str, hears: Mapping[str, Sequence[type[BaseModel]]]) -> Document:
    """The document of one service; `hears` maps a topic to the models of what is understood there."""
    described = _Described()
    said = [entry.event for entry in CATALOGUE.values() if entry.speaker == service]
    if said:
        described.talk("send", events_topic(topic_prefix, service), f"What {service} says", said)
    for topic, models in hears.items():
        described.talk("receive", topic, f"What {service} hears", models)
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": f"Manyi {service}", "version": version},
        "defaultContentType": "application/cloudevents+json",
        "channels": described.channels,
        "operations": described.operations,
        "components": {"messages": described.messages, "schemas": described.schemas},
    }
