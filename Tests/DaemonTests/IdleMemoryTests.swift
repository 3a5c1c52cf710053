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
            memory.look(isBusy: false)
            let before = try #require(MappedFiles.resident)
            memory.look(isBusy: false)
            return try #require(MappedFiles.resident) < before
        }
        #expect(isGivenBack)
    }

    @Test func `what is used after that stays, and goes with the next time`() throws {
        let stays = try once {
            var memory = IdleMemory()
            memory.look(isBusy: false)
            memory.look(isBusy: false)
            return try kept() > 0
        }
        #expect(stays)
        let goes = try once {
            MappedFiles.release()
            return try kept() == 0
        }
        #expect(goes)
    }
}
