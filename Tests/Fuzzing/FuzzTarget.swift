import Foundation

/// What reads bytes that strangers wrote. The process fuzzes the one that FUZZ_TARGET names.
enum FuzzTarget: String, CaseIterable {
    case reply = "smtp-reply"
    case dialogue = "smtp-dialogue"
    case address
    case json
    case job
    case list

    static let chosen: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            fatalError("FUZZ_TARGET names one of \(allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return target
    }()

    func check(_ input: [UInt8]) {
        switch self {
        case .reply: ReplyTarget.check(input)
        case .dialogue: DialogueTarget.check(input)
        case .address: AddressTarget.check(input)
        case .json: JSONTarget.check(input)
        case .job: JobTarget.check(input)
        case .list: ListTarget.check(input)
        }
    }
}

/// What libFuzzer calls with each input. Returns 0: the input may join the corpus.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafeRawPointer?, _ count: Int) -> Int32 {
    FuzzTarget.chosen.check([UInt8](UnsafeRawBufferPointer(start: start, count: count)))
    return 0
}

/// Ends the process with a sentence if a property does not hold; libFuzzer keeps the input.
func require(_ holds: Bool, _ sentence: @autoclosure () -> String) {
    if !holds { fatalError("a property does not hold: " + sentence()) }
}

/// Where an input is cut: different for different inputs, and always the same for one.
struct Cuts: RandomNumberGenerator {
    private var state: UInt64

    /// Begins with the FNV-1a hash of the input.
    init(_ input: [UInt8]) {
        state = input.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0100_0000_01B3 }
    }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 33) ^ (state << 31)
    }

    mutating func pieces(of input: [UInt8]) -> [[UInt8]] {
        var rest = input[...]
        var pieces: [[UInt8]] = []
        while !rest.isEmpty {
            let length = Int.random(in: 1...rest.count, using: &self)
            pieces.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return pieces
    }
}

/// Whether a text holds what no line of a journal or a receipt may hold.
func hasControl(_ text: some StringProtocol) -> Bool {
    text.unicodeScalars.contains { $0.properties.generalCategory == .control }
}

/// Equal scalar for scalar; `==` would also call equal what is only equivalent.
func isSameText(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
    left.utf8.elementsEqual(right.utf8)
}
