import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// Bad input is answered and put aside; it is never lost, and it never stops the daemon.
    @Suite struct HostileDropTests {
        @Test(.timeLimit(.minutes(5)))
        func `every hostile drop is answered with its faults and a good job goes through after them`() async throws {
            let scenario = try await Scenario.running()
            let pid = try #require(scenario.daemon.pid)
            let drops = HostileDrop.all
            #expect(drops.count >= 45, "enough kinds of hostility")
            let began = MonotonicClock.now()
            for drop in drops { try drop.drop(into: scenario.spool) }
            for drop in drops { await check(drop, scenario) }
            Figures.say(
                "hostile: \(drops.count) drops rejected in "
                    + "\(Figures.shown(Figures.seconds(since: began), digits: 1)) s, "
                    + "peak memory \(scenario.daemon.peakResidentKiB ?? 0) KiB"
            )
            #expect(scenario.spool.names(in: "incoming").isEmpty, "nothing is left in incoming/")
            #expect(scenario.server.messages.isEmpty, "nothing is sent")

            try await scenario.mail("good", to: ["reader@readers.example"])
            let receipt = try await scenario.spool.waitForState("good", "finished")
            #expect(receipt.count("sent") == 1, "a good job after them is carried out")
            #expect(scenario.daemon.pid == pid, "the daemon is the same process still")
            scenario.expectHonestDialogue()
        }

        private func check(_ drop: HostileDrop, _ scenario: Scenario) async {
            let name = drop.entry.prefix(40)
            do {
                var receiptName = drop.receipt
                if drop.entry.utf8.count > 128 {
                    let found = await eventually(timeout: .seconds(20)) {
                        scenario.spool.names(in: "receipts").contains { $0.hasPrefix(drop.receipt) }
                    }
                    #expect(found, "\(name): there is a receipt")
                    let names = scenario.spool.names(in: "receipts")
                    receiptName = names.first { $0.hasPrefix(drop.receipt) } ?? receiptName
                }
                let receipt = try await scenario.spool.waitForState(receiptName, "rejected")
                #expect(!receipt.errors.isEmpty, "\(name): there is an error")
                #expect(
                    receipt.errors.allSatisfy { !$0.message.isEmpty && !$0.file.isEmpty },
                    "\(name): each error says what and where: \(receipt.json.text.prefix(500))")
                let isKept = await eventually(timeout: .seconds(5)) {
                    isThere("\(scenario.spool.path)/rejected/\(receiptName)/\(drop.entry)")
                }
                #expect(isKept, "\(name): it stands in rejected/\(receiptName)")
            } catch {
                Issue.record(error, "\(name)")
            }
        }

        private func isThere(_ path: String) -> Bool {
            var status = stat()
            return lstat(path, &status) == 0
        }
    }
}
