import Mailing

extension JobReader {
    static func consent(_ object: JobObject) -> ConsentJob? {
        let id = envelope(object)
        let events = object.required("events", "what people decided") { node in
            node.elements(1...10_000)?.compactMap(consentEntry)
        }
        guard let id, let events else { return nil }
        return ConsentJob(id: id, events: events)
    }

    private static func consentEntry(_ node: JobNode) -> ConsentJob.Entry? {
        let keys = ["address", "purpose", "event", "by", "source", "text", "at"]
        guard let object = node.object("an event", knowing: keys) else { return nil }
        let address = object.required("address", "whose decision it is") { $0.address() }
        let purpose = object.required("purpose", "what it is about") { $0.groupName() }
        let event = object.required("event", "what was decided") { node in
            node.choice([ConsentEvent.Kind.accepted, .refused, .withdrawn, .renewed])
        }
        let actor = object.required("by", "who decided") { $0.choice([ConsentEvent.Actor.recipient, .operator]) }
        let source = object.required("source", "where the decision was given") { $0.line(1...500) }
        let text = object.optional("text") { $0.prose(1...10_000) }
        let at = object.required("at", "when it was decided") { $0.timestamp() }
        guard let address, let purpose, let event, let actor, let source, let at else { return nil }
        return ConsentJob.Entry(
            address: address, purpose: purpose, event: event, by: actor, source: source, text: text, at: at)
    }
}
