import Systemd
import Testing

@testable import Daemon

struct IdleMemoryTests {
    @Test func `what the start left in memory is given back once there is nothing to do`() throws {
        // Another test may give back the same pages at the same moment.
        let isGivenBack = try (0..<100).contains { _ in
            var memory = IdleMemory()
            memory.look(isBusy: false)
            let before = try #require(MappedFiles.resident)
            memory.look(isBusy: false)
            return try #require(MappedFiles.resident) < before
        }
        #expect(isGivenBack)
    }
}
