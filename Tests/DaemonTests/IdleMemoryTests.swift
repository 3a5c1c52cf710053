import Foundation
import Systemd
import Testing

@testable import Daemon

struct IdleMemoryTests {
    /// Kibibytes of mappings whose pages stay (`VmLck` of /proc/self/status).
    private func kept() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmLck:") })
        return try #require(Int(line.split(separator: " ").dropFirst().first ?? ""))
    }

    /// Another test may give back the same pages, or keep them, at the same moment.
    private func once(_ isSo: () throws -> Bool) rethrows -> Bool { try (0..<100).contains { _ in try isSo() } }

    @Test func `what the start left in memory is given back once there is nothing to do`() throws {
        let isGivenBack = try once {
            var memory = IdleMemory()
            _ = memory.look(isBusy: false)
            let before = try #require(MappedFiles.resident)
            return try memory.look(isBusy: false) && #require(MappedFiles.resident) < before
        }
        #expect(isGivenBack)
    }

    @Test func `the start and a campaign keep what they need, and what is used after that stays`() throws {
        let stays = try once {
            var memory = IdleMemory()
            let looks = [false, true, false].map { memory.look(isBusy: $0) }
            guard looks == [false, false, true] else { return false }
            let isKept = try kept() > 0
            let isAgain = memory.look(isBusy: false)
            #expect(!isAgain, "what is done now and then has been done: that is what stays")
            return isKept
        }
        #expect(stays)
        let goes = try once {
            MappedFiles.release()
            return try kept() == 0
        }
        #expect(goes)
    }
}
