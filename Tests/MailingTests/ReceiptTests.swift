import Mailing
import Testing

@Suite struct `A receipt` {
    @Test func `is final once nothing more will happen to the job by itself`() {
        #expect(Receipt.State.allCases.filter(\.isFinal) == [.rejected, .finished, .cancelled, .expired])
    }

    @Test func `has a word for every state of a campaign, planning being told as planned`() {
        for state in CampaignState.allCases where state != .planning {
            #expect(Receipt.State(rawValue: state.rawValue)?.isFinal == state.isFinal)
        }
        #expect(Receipt.State(rawValue: "planned") == .planned)
    }

    @Test func `begins without errors, warnings, repeats or counts`() {
        let receipt = Receipt(job: nil, kind: nil, state: .rejected)
        #expect(receipt.errors.isEmpty && receipt.warnings.isEmpty)
        #expect(receipt.repeats == 0 && receipt.counts == nil)
    }
}
