import Systemd
import Testing

@testable import Daemon

struct IdleMemoryTests {
    @Test func `what the start left in memory is given back once there is nothing to do`() throws {
        var memory = IdleMemory()
        let before = try #require(MappedFiles.resident)
        memory.look(isBusy: false)
        let after = try #require(MappedFiles.resident)
        #expect(after < before)
    }
}
