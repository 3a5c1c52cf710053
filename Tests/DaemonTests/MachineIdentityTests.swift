import TestSupport
import Testing

@testable import Daemon

struct MachineIdentityTests {
    private func identity(_ text: String) throws -> String? {
        let directory = try TemporaryDirectory()
        return MachineIdentity.read(try directory.write(text, to: "machine-id"))
    }

    private let id = "0123456789abcdef0123456789abcdef"

    @Test func `a machine is always the same, and another one is another`() throws {
        let one = try #require(try identity(id + "\n"))
        #expect(try identity(id) == one)
        #expect(one.count == 32 && one.allSatisfy(\.isHexDigit))
        #expect(try identity("1123456789abcdef0123456789abcdef\n") != one)
    }

    @Test func `the machine id itself is not shown`() throws {
        let one = try #require(try identity(id))
        #expect(!one.contains(id.prefix(8)))
    }

    @Test(arguments: ["", "\n", "uninitialized\n", "0123456789abcdef", "0123456789abcdeg0123456789abcdef", " x"])
    func `where there is no machine id nothing is known`(text: String) throws {
        #expect(try identity(text) == nil)
    }

    @Test func `a file that is not there says nothing`() throws {
        let directory = try TemporaryDirectory()
        #expect(MachineIdentity.read(directory.path("machine-id")) == nil)
        #expect(MachineIdentity.read(directory.path) == nil)
    }
}
