import Testing

@testable import Spool

struct IncomingHintsTests {
    @Test func `a first scan is due before anything was heard`() {
        #expect(IncomingHints().isWorthAScan)
    }

    @Test func `writing to a file alone asks for no scan`() {
        var hints = IncomingHints()
        hints.isWorthAScan = false
        hints.wasModified("a.json")
        #expect(!hints.isWorthAScan)
        hints.wasClosed("a.json")
        #expect(hints.isWorthAScan)
    }

    @Test func `a name that came by rename and is made again in place no longer counts as renamed`() {
        var hints = IncomingHints()
        hints.arrivedByRename("a.json")
        hints.wasCreated("a.json", isDirectory: false)
        #expect(hints.renamed["a.json"] == nil)
    }

    @Test func `lost events free what seemed to be open but not what was renamed`() {
        var hints = IncomingHints()
        hints.arrivedByRename("a.json")
        hints.wasModified("b.json")
        hints.isWorthAScan = false
        hints.overflowed()
        #expect(hints.isWorthAScan)
        #expect(Set(hints.renamed.keys) == ["a.json"])
        #expect(!hints.isBeingWritten("b.json", size: 1))
    }

    @Test func `hints are forgotten with their entries`() {
        var hints = IncomingHints()
        hints.arrivedByRename("a.json")
        hints.wasModified("b.json")
        hints.keep(only: ["c.json"])
        #expect(hints.renamed.isEmpty && hints.modified.isEmpty)
    }
}
