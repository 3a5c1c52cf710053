/// Where a campaign stands, apart from the states of its deliveries.
package enum CampaignState: String, Hashable, Sendable, CaseIterable {
    /// Its plan is being made; a crash throws the plan away. Can become: held, scheduled, running.
    case planning
    /// Waits for approval. Can become: scheduled, running, cancelled, expired.
    case held
    /// Waits for its time. Can become: running, paused, cancelled.
    case scheduled
    /// Its due messages are handed over. Can become: paused, finished, cancelled, expired.
    case running
    /// Stopped by an operator or by trouble, with a reason. Can become: scheduled, running, cancelled, expired.
    case paused
    /// Nothing is queued or in flight. Can become: running, when a doubt is settled so that a message is sent again.
    case finished
    case cancelled
    case expired

    package var isFinal: Bool { self == .finished || self == .cancelled || self == .expired }

    /// The state after a doubt was settled so that a message waits again; nil where it could never leave.
    package func reopened(now: Timestamp, expires: Timestamp) -> CampaignState? {
        switch self {
        case .planning, .cancelled, .expired: nil
        case _ where now >= expires: nil
        case .finished: .running
        case .held, .scheduled, .running, .paused: self
        }
    }

    /// What a control job makes of the state, or why it cannot, as a sentence.
    package func applying(
        _ action: ControlJob.Action, now: Timestamp, sendAfter: Timestamp?
    ) -> Result<CampaignState, ControlRefusal> {
        let due: CampaignState = sendAfter.map { $0 > now } == true ? .scheduled : .running
        switch (action, self) {
        case (.approve, .held): return .success(due)
        case (.pause, .running), (.pause, .scheduled), (.pause, .paused): return .success(.paused)
        case (.resume, .paused): return .success(due)
        case (.cancel, .held), (.cancel, .scheduled), (.cancel, .running), (.cancel, .paused):
            return .success(.cancelled)
        default:
            return .failure(ControlRefusal(action: action, state: self))
        }
    }
}

/// A control job that does not fit the state of its campaign.
package struct ControlRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    package let action: ControlJob.Action
    package let state: CampaignState

    package var description: String {
        let hint =
            switch action {
            case .approve: "only a held campaign waits for approval"
            case .pause: "only a scheduled or running campaign can be paused"
            case .resume: "only a paused campaign can be resumed"
            case .cancel where state == .planning: "its plan is being made; send the job again in a moment"
            case .cancel: "it has ended already"
            case .reroute: "what has ended is not sent any more"
            case .settle: "what ended without a message to somebody is not sent any more; settle as “sent”"
            }
        return "the campaign is \(state.rawValue): \(hint)"
    }
}
