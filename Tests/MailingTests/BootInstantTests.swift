import Mailing
import Testing

@Suite struct `A moment of the boot clock` {
    @Test func `is ordered by its nanoseconds`() {
        #expect(BootInstant(nanoseconds: 1) < BootInstant(nanoseconds: 2))
        #expect(!(BootInstant(nanoseconds: 2) < BootInstant(nanoseconds: 2)))
        #expect(BootInstant(nanoseconds: -1) < BootInstant(nanoseconds: 0))
    }

    @Test func `moves by nanoseconds in both directions`() {
        #expect(BootInstant(nanoseconds: 5).adding(nanoseconds: 7) == BootInstant(nanoseconds: 12))
        #expect(BootInstant(nanoseconds: 5).adding(nanoseconds: -7) == BootInstant(nanoseconds: -2))
    }

    @Test func `two boots of the machine are told apart by the kernel's id`() {
        #expect(BootID("a") == BootID("a"))
        #expect(BootID("a") != BootID("b"))
    }
}
