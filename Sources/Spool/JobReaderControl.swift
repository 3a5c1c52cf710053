import Mailing

extension JobReader {
    static func control(_ object: JobObject) -> ControlJob? {
        let id = envelope(object)
        let campaign = object.required("campaign", "the id of the campaign's job") { $0.jobID() }
        let action = object.required("action", "what to do with it") { $0.choice(ControlJob.Action.self) }
        let reason = object.optional("reason") { $0.line(1...500) }
        guard let id, let campaign, let action else { return nil }
        return ControlJob(id: id, campaign: campaign, action: action, reason: reason)
    }
}
