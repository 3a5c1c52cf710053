import Glibc
import Testing

@testable import Spool

struct SpoolErrorTests {
    @Test func `a refusal of the system says what was tried, on what, and what to do`() {
        let error = SpoolError("write", "/spool/x", code: ENOSPC)
        #expect(error.description == "cannot write /spool/x: No space left on device; make room on its file system")
    }

    @Test func `a fault without a failed call is its own sentence`() {
        #expect(SpoolError("/spool", detail: "must be a directory").description == "/spool must be a directory")
    }
}
