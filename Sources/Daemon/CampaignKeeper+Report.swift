import Glibc
import Ledger
import Logging
import Mailing
import Spool

/// The mail that tells an organiser how a campaign ended. It is a campaign of its own, dropped as anybody's is: the
/// ledger knows it by its id, so that a crash has it dropped again at most, and never sent again.
extension CampaignKeeper {
    /// Drops the report of an ended campaign, if its job asks for one and none was taken yet.
    ///
    /// Called when the receipt stands, before the ledger notes that. Returns false if it cannot be dropped at present:
    /// then that is tried again with the next look at all campaigns, within 30 s.
    /// - Parameter name: Under which the receipt stands.
    func handInReport(of summary: CampaignSummary, _ receipt: Receipt, at name: ReceiptName) async -> Bool {
        guard let address = summary.reportTo, !handedIn.contains(summary.number) else { return true }
        let campaign = summary.job.id
        let id = ClosingReport.id(of: campaign, key: context.ledger.key)
        let fields = ["CAMPAIGN": campaign.text, "JOB": id.text]
        do {
            if let known = try await context.ledger.job(id) {
                if known.submitter == geteuid() { return true }
                return giveUp(
                    campaign, fields, because: "another user has dropped a job of the id of its report, \(id)")
            }
            guard let job = try kept(campaign) else {
                return giveUp(campaign, fields, because: "work/kept of the spool has no readable copy of its job")
            }
            let relays = summary.relays.filter { carries($0, job.sender.address) }
            let report = ClosingReport(
                id: id, address: address, campaign: job, receipt: receipt, because: summary.because,
                files: context.spool.files(of: name), relays: Array(relays.prefix(100)))
            try drop(report)
            handedIn.insert(summary.number)
            context.journal.note(
                .info, .reported, "the report of campaign \(campaign) is handed in as job \(id)", fields)
            return true
        } catch let error as SpoolError where error.code == EEXIST {
            hindered(
                by: "the report of campaign \(campaign) waits in incoming/ of the spool", .notice, of: campaign, fields)
        } catch {
            hindered(
                by: "the report of campaign \(campaign) cannot be handed in now: \(error)", .error, of: campaign, fields
            )
        }
        return false
    }

    /// What trying again would not change: the receipt alone tells of the end.
    private func giveUp(_ campaign: JobID, _ fields: [String: String], because why: String) -> Bool {
        context.journal.note(.error, .reportTrouble, "there is no report of campaign \(campaign): \(why)", fields)
        return true
    }

    private func kept(_ campaign: JobID) throws(SpoolError) -> Campaign? {
        do throws(SpoolError) {
            return try CampaignLibrary.read(campaign, from: context.spool)
        } catch  where error.code == ENOENT {
            return nil
        }
    }

    /// The report does not wait for a relay that was taken out of the configuration.
    private func carries(_ relay: String, _ sender: EmailAddress) -> Bool {
        context.settings.current.relays[relay]?.carries(sender) == true
    }

    private func drop(_ report: ClosingReport) throws(SpoolError) {
        let writer = DropWriter(context.spool)
        let draft = try writer.draft(report.document, name: report.id.text)
        let dropped: DropWriter.Dropped
        do throws(SpoolError) {
            dropped = try writer.drop(draft)
        } catch {
            // What cannot be removed now goes with all that lies in tmp/ for long.
            try? writer.discard(draft)
            throw error
        }
        // A power cut could still lose it: the next look finds it taken, or drops it again.
        if let doubt = dropped.doubt { throw doubt }
    }
}
