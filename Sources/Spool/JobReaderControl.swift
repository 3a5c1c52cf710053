import Mailing

extension JobReader {
    static func control(_ object: JobObject) -> ControlJob? {
        let id = envelope(object)
        let campaign = object.required("campaign", "the id of the campaign's job") { $0.jobID() }
        let action = object.required("action", "what to do with it") { $0.choice(ControlJob.Action.self) }
        switch action {
        case .settle:
            refuse(["from", "to"], of: .reroute, in: object)
            let settlement = object.required("as", "how the doubt ends") { $0.choice(Settlement.self) }
            let reason = object.required("reason", "how you know; it is kept") { $0.line(1...500) }
            let address = object.optional("address") { $0.address() }
            guard let id, let campaign, let settlement, let reason else { return nil }
            return ControlJob(
                id: id, campaign: campaign, action: .settle, reason: reason, settlement: settlement, address: address)
        case .reroute:
            refuse(["as", "address"], of: .settle, in: object)
            let reason = object.optional("reason") { $0.line(1...500) }
            let route = route(object)
            guard let id, let campaign, let route else { return nil }
            return ControlJob(id: id, campaign: campaign, action: .reroute, reason: reason, route: route)
        default:
            let reason = object.optional("reason") { $0.line(1...500) }
            guard let action else { return nil }
            refuse(["as", "address"], of: .settle, in: object)
            refuse(["from", "to"], of: .reroute, in: object)
            guard let id, let campaign else { return nil }
            return ControlJob(id: id, campaign: campaign, action: action, reason: reason)
        }
    }

    private static func refuse(_ keys: [String], of action: ControlJob.Action, in object: JobObject) {
        for key in keys { object.refuse(key, "Remove this; only the action “\(action.rawValue)” has it.") }
    }

    private static func route(_ object: JobObject) -> ControlJob.Route? {
        let from = object.required("from", "the relay for which the messages wait") { $0.relayName() }
        let to = object.required("to", "the relay that is to carry them") { node -> String? in
            guard let to = node.relayName() else { return nil }
            if to == from { node.fail("Name another relay here than in “from”.") }
            return to
        }
        guard let from, let to else { return nil }
        return ControlJob.Route(from: from, to: to)
    }
}
