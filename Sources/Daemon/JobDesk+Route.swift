import Ledger
import Logging
import Mailing
import Spool

extension JobDesk {
    /// Gives what waits for a relay that is dead, or not configured any more, to another one.
    func reroute(_ control: ControlJob, _ route: ControlJob.Route, _ drop: Intake.AcceptedDrop) async throws {
        guard let relay = context.settings.current.relays[route.to] else {
            throw refusal("/to", "there is no relay “\(route.to)” in the configuration")
        }
        guard try await context.ledger.campaignNumber(of: control.campaign) != nil else {
            throw try await unknownCampaign(control)
        }
        let sender = try await library.campaign(control.campaign).campaign.sender.address
        guard relay.carries(sender) else {
            throw refusal(
                "/to",
                "the relay “\(route.to)” does not carry mail from \(sender); see “senders” in its configuration")
        }
        var result = try await context.ledger.reroute(campaign: control.campaign, route, by: control.id)
        while case .success(let piece) = result, !piece.isDone {
            context.progress.beat("intake", at: context.clocks.boot)
            result = try await context.ledger.reroute(
                campaign: control.campaign, route, by: control.id, moved: piece.moved)
        }
        switch result {
        case nil: throw try await unknownCampaign(control)
        case .failure(.ended(let state)): throw refusal("/campaign", RerouteRefusal.ended(state).description)
        case .failure(let why): throw refusal("/from", why.description)
        case .success(let rerouted):
            try context.spool.removeKept(control.id)
            let because = control.reason ?? "an operator asked for it (job \(control.id))"
            var message =
                "\(rerouted.moved) messages of campaign \(control.campaign) go by relay \(route.to) now instead of "
                + "\(route.from): \(because)"
            let stay = rerouted.uncertain + rerouted.inFlight
            if stay > 0 { message += "; \(stay) that were handed over to it stay" }
            context.journal.note(
                .notice, .changed, message, drop.journalFields.merging(["RELAY": route.to]) { $1 })
            await keeper.touch(rerouted.campaign)
            wakeLanes()
            try await answer(drop, "control job \(control.id) is done")
        }
    }
}
