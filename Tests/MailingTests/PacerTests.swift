import Mailing
import TestSupport
import Testing

private let hour: Int64 = 3_600_000_000_000
private let boot = BootID("first boot")

private func instant(_ nanoseconds: Int64) -> BootInstant { BootInstant(nanoseconds: nanoseconds) }

private func pacer(
    _ rate: Int, stored: Pacer.StoredSlot? = nil, wasInFlight: Bool = false, now: Int64 = 0
) -> Pacer {
    Pacer(messagesPerHour: rate, stored: stored, wasInFlight: wasInFlight, bootID: boot, now: instant(now))
}

/// One machine with one relay, in the time of an outside observer: dots, lateness, crashes, reboots, suspension.
private struct MachineRun {
    let rate: Int
    var random: SeededGenerator
    var now: Int64 = 0
    var bootBegan: Int64 = 0
    var boots = 0
    var stored: Pacer.StoredSlot?
    var pacer: Pacer
    var dots: [Int64] = []
    var furthest: Int64 = 0

    init(rate: Int, seed: UInt64) {
        self.rate = rate
        random = SeededGenerator(seed: seed)
        pacer = Pacer(
            messagesPerHour: rate, stored: nil, wasInFlight: false, bootID: BootID("0"), now: instant(0))
    }

    private var bootNow: BootInstant { instant(now - bootBegan) }
    private var bootID: BootID { BootID(String(boots)) }

    private mutating func restart(wasInFlight: Bool) {
        pacer = Pacer(messagesPerHour: rate, stored: stored, wasInFlight: wasInFlight, bootID: bootID, now: bootNow)
    }

    private mutating func reboot() {
        now += Int64.random(in: 1...2 * pacer.interval, using: &random)
        boots += 1
        bootBegan = now - Int64.random(in: 0...1_000_000_000, using: &random)
    }

    /// Waits for the slot, writes the intent, writes the dot; anything may go wrong on the way.
    mutating func step() {
        let slot = pacer.slot(now: bootNow)
        furthest = max(furthest, slot.nanoseconds - bootNow.nanoseconds)
        now = bootBegan + slot.nanoseconds
        let event = Int.random(in: 0..<100, using: &random)
        if event < 10 { now += Int64.random(in: 0...3 * pacer.interval, using: &random) }
        if event == 10 { return restart(wasInFlight: false) }
        if event == 11 {
            reboot()
            return restart(wasInFlight: false)
        }
        stored = Pacer.StoredSlot(bootID: bootID, at: bootNow)
        now += Int64.random(in: 0...50_000_000, using: &random)
        dots.append(now)
        if event < 15 {
            now += Int64.random(in: 0...pacer.interval, using: &random)
            if event == 12 { reboot() }
            return restart(wasInFlight: true)
        }
        pacer.dotWritten(at: bootNow)
        stored = Pacer.StoredSlot(bootID: bootID, at: bootNow)
        if event < 20 {
            now += Int64.random(in: 0...pacer.interval, using: &random)
            if event == 15 { reboot() }
            restart(wasInFlight: false)
        }
    }

    /// The most dots in any window of one hour, its end excluded.
    var mostInAnHour: Int {
        var most = 0
        var first = 0
        for (last, dot) in dots.enumerated() {
            while dots[first] <= dot - hour { first += 1 }
            most = max(most, last - first + 1)
        }
        return most
    }

    var smallestGap: Int64 { zip(dots.dropFirst(), dots).map { $0 - $1 }.min() ?? .max }
}

@Suite struct `The pace of a relay` {
    @Test(arguments: [100, 101, 997, 2999, 3000], [1, 2, 3] as [UInt64])
    func `holds in every window of an hour, through lateness, crashes and reboots`(rate: Int, seed: UInt64) {
        var run = MachineRun(rate: rate, seed: seed)
        while run.dots.count < 2 * rate { run.step() }
        #expect(run.mostInAnHour <= rate)
        #expect(run.smallestGap >= run.pacer.interval)
        #expect((0...run.pacer.interval).contains(run.furthest))
    }

    @Test(arguments: [100, 101, 999, 1234, 2999, 3000]) func `is used to the full by a punctual sender`(rate: Int) {
        var pacer = pacer(rate)
        var now = instant(0)
        var dots: [Int64] = []
        while now.nanoseconds < hour {
            dots.append(now.nanoseconds)
            pacer.dotWritten(at: now)
            now = pacer.slot(now: now)
        }
        #expect(dots.count == rate)
        #expect(zip(dots.dropFirst(), dots).allSatisfy { $0 - $1 == pacer.interval })
    }

    @Test(arguments: [(100, 36_000_000_000), (3000, 1_200_000_000), (700, 5_142_857_143)] as [(Int, Int64)])
    func `is one interval from dot to dot, rounded up`(rate: Int, interval: Int64) {
        #expect(pacer(rate).interval == interval)
    }

    @Test func `rounds no rate so that the limit is exceeded`() {
        for rate in Pacer.rates { #expect(pacer(rate).interval * Int64(rate) >= hour) }
    }

    @Test func `never makes up for lateness`() {
        var pacer = pacer(3000)
        pacer.dotWritten(at: instant(0))
        let late = instant(10 * pacer.interval)
        #expect(pacer.slot(now: late) == late)
        pacer.dotWritten(at: late)
        #expect(pacer.slot(now: late) == late.adding(nanoseconds: pacer.interval))
    }

    @Test func `counts from the moment at which the dot was written, not from its slot`() {
        var pacer = pacer(100)
        pacer.dotWritten(at: instant(7_000_000_000))
        #expect(pacer.slot(now: instant(8_000_000_000)) == instant(43_000_000_000))
    }

    @Test func `is not made faster by a dot that is reported late or out of order`() {
        var pacer = pacer(100)
        pacer.dotWritten(at: instant(50_000_000_000))
        pacer.dotWritten(at: instant(10_000_000_000))
        #expect(pacer.nextSlot == instant(86_000_000_000))
    }

    @Test func `begins at once where no dot was ever written`() {
        #expect(pacer(100, now: 5).slot(now: instant(5)) == instant(5))
    }

    @Test func `goes on after a restart where it stood`() {
        let stored = Pacer.StoredSlot(bootID: boot, at: instant(100))
        let restarted = pacer(3000, stored: stored, now: 200)
        #expect(restarted.slot(now: instant(200)) == instant(1_200_000_100))
        let later = pacer(3000, stored: stored, now: hour)
        #expect(later.slot(now: instant(hour)) == instant(hour))
    }

    @Test func `waits one full interval after a reboot`() {
        let stored = Pacer.StoredSlot(bootID: BootID("another boot"), at: instant(0))
        #expect(pacer(3000, stored: stored, now: hour).nextSlot == instant(hour + 1_200_000_000))
    }

    @Test(arguments: [nil, Pacer.StoredSlot(bootID: boot, at: instant(0))])
    func `waits one full interval where a message was found in flight`(stored: Pacer.StoredSlot?) {
        #expect(pacer(100, stored: stored, wasInFlight: true, now: hour).nextSlot == instant(hour + 36_000_000_000))
    }

    @Test func `is never further away than one interval, even if the stored slot lies in the future`() {
        let stored = Pacer.StoredSlot(bootID: boot, at: instant(500 * hour))
        let restarted = pacer(100, stored: stored, now: hour)
        #expect(restarted.slot(now: instant(hour)) == instant(hour + 36_000_000_000))
        var strange = pacer(100, now: 0)
        strange.dotWritten(at: instant(500 * hour))
        #expect(strange.slot(now: instant(hour)) == instant(hour + 36_000_000_000))
    }

    @Test(arguments: [(3000, 100), (100, 3000), (100, 101)]) func `changed by a reload keeps the new gap`(
        before: Int, after: Int
    ) {
        var changed = pacer(before)
        changed.dotWritten(at: instant(1_000))
        changed.change(messagesPerHour: after)
        #expect(changed.interval == pacer(after).interval)
        #expect(changed.slot(now: instant(1_000)) == instant(1_000 + changed.interval))
        changed.change(messagesPerHour: before)
        #expect(changed.nextSlot == instant(1_000 + changed.interval))
    }

    @Test func `changed again and again never lets two dots come closer than the shortest of the intervals`() {
        var random = SeededGenerator(seed: 9)
        var changing = pacer(3000)
        var (now, last) = (instant(0), Int64.min / 2)
        for _ in 0..<5000 {
            if Int.random(in: 0..<3, using: &random) == 0 {
                changing.change(messagesPerHour: Int.random(in: Pacer.rates, using: &random))
            }
            now = changing.slot(now: now)
            #expect(now.nanoseconds - last >= changing.interval)
            last = now.nanoseconds
            changing.dotWritten(at: now)
        }
    }

    @Test func `lies between 100 and 3000 an hour, for a domain from 1 on, or the program is wrong`() async {
        #expect(Pacer.rates == 100...3000)
        #expect(Pacer.domainRates == 1...3000)
        await #expect(processExitsWith: .failure) { _ = pacer(0) }
        await #expect(processExitsWith: .failure) { _ = pacer(3001) }
        await #expect(processExitsWith: .failure) {
            var changed = pacer(100)
            changed.change(messagesPerHour: 0)
        }
    }
}

@Suite struct `Turns on a relay` {
    private static func candidate(_ campaign: Int64, _ basis: Campaign.Basis = .consent) -> Turns.Candidate {
        Turns.Candidate(campaign: campaign, basis: basis)
    }

    @Test func `give service mail the first place, however often it was served`() {
        var turns = Turns()
        for _ in 0..<10 { turns.served(3) }
        let order = turns.order([
            Self.candidate(1), Self.candidate(2, .consentRequest), Self.candidate(3, .service),
            Self.candidate(4, .service),
        ])
        #expect(order.map(\.campaign) == [4, 3, 1, 2])
    }

    @Test func `go round among campaigns of the same rank, whatever their order of asking`() {
        var turns = Turns()
        var random = SeededGenerator(seed: 4)
        var shares: [Int64: Int] = [:]
        for round in 1...40 {
            for _ in 0..<5 {
                let asked = (1...5).map { Self.candidate(Int64($0)) }.shuffled(using: &random)
                guard let first = turns.order(asked).first else { continue }
                turns.served(first.campaign)
                shares[first.campaign, default: 0] += 1
            }
            #expect(shares.values.allSatisfy { $0 == round } && shares.count == 5)
        }
    }

    @Test func `let a newcomer go first once, and not for as long as it was absent`() {
        var turns = Turns()
        for _ in 0..<50 {
            turns.served(1)
            turns.served(2)
        }
        let asked = [Self.candidate(1), Self.candidate(2), Self.candidate(3)]
        #expect(turns.order(asked).map(\.campaign) == [3, 1, 2])
        turns.served(3)
        #expect(turns.order(asked).map(\.campaign) == [1, 2, 3])
    }

    @Test func `are forgotten with the campaign that ended`() {
        var turns = Turns()
        turns.served(1)
        turns.ended(1)
        #expect(turns.order([Self.candidate(2), Self.candidate(1)]).map(\.campaign) == [1, 2])
    }

    @Test func `lose no candidate and invent none`() {
        var turns = Turns()
        turns.served(2)
        let asked = [Self.candidate(3, .service), Self.candidate(2), Self.candidate(1, .consentRequest)]
        #expect(Set(turns.order(asked)) == Set(asked) && turns.order(asked).count == asked.count)
        #expect(turns.order([]).isEmpty)
    }
}
