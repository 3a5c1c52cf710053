import Mailing

extension JobReader {
    static func control(_ object: JobObject) -> ControlJob? {
        let id = envelope(object)
        let campaign = object.required("campaign", "the id of the campaign's job") { $0.jobID() }
        let action = object.required("action", "what to do with it") { $0.choice(ControlJob.Action.self) }
        guard action == .settle else {
            let reason = object.optional("reason") { $0.line(1...500) }
            guard let action else { return nil }
            for key in ["as", "address"] { object.refuse(key, "Remove this; only the action “settle” has it.") }
            guard let id, let campaign else { return nil }
            return ControlJob(id: id, campaign: campaign, action: action, reason: reason)
        }
        let settlement = object.required("as", "how the doubt ends") { $0.choice(Settlement.self) }
        let reason = object.required("reason", "how you know; it is kept") { $0.line(1...500) }
        let address = object.optional("address") { $0.address() }
        guard let id, let campaign, let settlement, let reason else { return nil }
        return ControlJob(
            id: id, campaign: campaign, action: .settle, reason: reason, settlement: settlement, address: address)
    }
}
