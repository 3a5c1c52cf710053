import Foundation
import TestSupport
import Testing

extension WholeDaemon {
    /// The examples that users begin with.
    @Suite struct SeedsTests {
        private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()

        private static let systems = ["bidoc", "brocade", "carerix", "extrabat", "oberon", "vubis", "wise"]

        @Test(.timeLimit(.minutes(5)), arguments: systems)
        func `every example of a system is accepted`(system: String) async throws {
            let presets = Self.root.appendingPathComponent("config/presets").path
            let daemon = try DaemonProcess(
                TestConfiguration(
                    relays: [.init(url: "maildir:outbox", senders: ["*"])],
                    lines: ["[presets]", "directory = \"\(presets)\""]))
            try await daemon.startAndWait()
            let folder = Self.root.appendingPathComponent("seeds/\(system)")
            let jobs = try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .filter { $0.hasSuffix(".job") || $0.hasSuffix(".json") }.sorted()
            #expect(!jobs.isEmpty, "there are examples")
            for job in jobs {
                let draft = daemon.spool.path + "/tmp/" + job
                try FileManager.default.copyItem(atPath: folder.appendingPathComponent(job).path, toPath: draft)
                try FileManager.default.moveItem(atPath: draft, toPath: daemon.spool.path + "/incoming/" + job)
                let name = (job as NSString).deletingPathExtension
                let receipt = try await daemon.spool.waitForReceipt(name) { $0.state != "planned" }
                #expect(receipt.state != "rejected", "\(job): \(receipt.errors)")
            }
            daemon.terminate()
            #expect(try await daemon.waitUntilExit() == 0)
        }
    }
}
