import Testing

@testable import Mailing

@Suite struct `The state of a campaign` {
    static let now = seconds(1000)

    /// Row: state. Columns: approve, pause, resume, cancel, settle, reroute. What the state becomes; nil where it is
    /// refused.
    /// To settle and to reroute changes deliveries, and of the campaign only what `reopened` says.
    static let table: [(CampaignState, [CampaignState?])] = [
        (.planning, [nil, nil, nil, nil, nil, nil]),
        (.held, [.running, nil, nil, .cancelled, nil, nil]),
        (.scheduled, [nil, .paused, nil, .cancelled, nil, nil]),
        (.running, [nil, .paused, nil, .cancelled, nil, nil]),
        (.paused, [nil, .paused, .running, .cancelled, nil, nil]),
        (.finished, [nil, nil, nil, nil, nil, nil]),
        (.cancelled, [nil, nil, nil, nil, nil, nil]),
        (.expired, [nil, nil, nil, nil, nil, nil]),
    ]

    @Test func `is changed by a control job as the table says, and by no other`() {
        #expect(Self.table.map(\.0) == CampaignState.allCases)
        for (state, becomes) in Self.table {
            #expect(becomes.count == ControlJob.Action.allCases.count)
            for (action, expected) in zip(ControlJob.Action.allCases, becomes) {
                switch state.applying(action, now: Self.now, sendAfter: nil) {
                case .success(let next): #expect(next == expected, "\(action) on \(state)")
                case .failure(let refusal):
                    #expect(expected == nil, "\(action) on \(state)")
                    #expect(refusal == .init(action: action, state: state))
                }
            }
        }
    }

    @Test(
        arguments: [
            (999, .running), (1000, .running), (1001, .scheduled),
        ] as [(Int64, CampaignState)]) func `after approval or resumption depends on whether its time has come`(
            sendAfter: Int64, expected: CampaignState
        ) throws
    {
        let time = seconds(sendAfter)
        #expect(try CampaignState.held.applying(.approve, now: Self.now, sendAfter: time).get() == expected)
        #expect(try CampaignState.paused.applying(.resume, now: Self.now, sendAfter: time).get() == expected)
    }

    /// Row: state. What it becomes when a message waits again while there is time for it; nil where none can leave.
    @Test(
        arguments: [
            (.planning, nil), (.held, .held), (.scheduled, .scheduled), (.running, .running), (.paused, .paused),
            (.finished, .running), (.cancelled, nil), (.expired, nil),
        ] as [(CampaignState, CampaignState?)])
    func `after a doubt was settled for sending again lets the message leave or refuses it`(
        state: CampaignState, becomes: CampaignState?
    ) {
        #expect(state.reopened(now: Self.now, expires: seconds(1001)) == becomes)
        #expect(state.reopened(now: Self.now, expires: seconds(1000)) == nil)
        #expect(state.reopened(now: Self.now, expires: seconds(999)) == nil)
    }

    @Test func `is final when finished, cancelled or expired`() {
        #expect(CampaignState.allCases.filter(\.isFinal) == [.finished, .cancelled, .expired])
    }

    @Test func `once final is changed by nothing`() {
        for state in CampaignState.allCases.filter(\.isFinal) {
            for action in ControlJob.Action.allCases {
                #expect(throws: ControlRefusal.self) {
                    try state.applying(action, now: Self.now, sendAfter: nil).get()
                }
            }
        }
    }

    @Test(arguments: [
        (ControlJob.Action.approve, CampaignState.running, "the campaign is running: only a held campaign waits"),
        (.resume, .running, "the campaign is running: only a paused campaign can be resumed"),
        (.pause, .held, "the campaign is held: only a scheduled or running campaign can be paused"),
        (.cancel, .finished, "the campaign is finished: it has ended already"),
        (.cancel, .planning, "the campaign is planning: its plan is being made; send the job again in a moment"),
    ]) func `refuses in a sentence that is true of it`(
        action: ControlJob.Action, state: CampaignState, sentence: String
    ) {
        #expect(ControlRefusal(action: action, state: state).description.hasPrefix(sentence))
    }
}
