/// A recipient list as a library system exports it: the same for the same seed, with known answers.
package struct BorrowerList: Sendable {
    /// The column that says `J` or `N`.
    package static let consentColumn = "Nieuwsbrief"

    /// How the list is written.
    package enum Style: Sendable {
        /// Wise: semicolons, Dutch column names, the name in parts.
        case wise
        /// Commas and the column names that need no preset.
        case plain
    }

    /// A person of the list.
    package struct Borrower: Sendable, Equatable {
        /// Klantnummer, different on every line.
        package let number: String
        /// Roepnaam.
        package let givenName: String
        /// Such as "van de"; often empty.
        package let infix: String
        /// Achternaam.
        package let familyName: String
        /// Emailadres as the list has it, usable or not.
        package let address: String
        /// J or N in the consent column.
        package let accepts: Bool
    }

    /// Everyone with a good address, once, in the order of the list.
    package let borrowers: [Borrower]
    /// The lines of the list in order: the borrowers, the repeated ones (other capitals, another number) and the bad.
    package let lines: [Borrower]
    /// How many lines have no usable address.
    package let badRows: Int
    /// How many lines repeat the address of an earlier one.
    package let duplicates: Int

    /// - Parameters:
    ///   - count: people with a good address.
    ///   - acceptedShare: 0 ... 1, the share that said J; exact but for rounding.
    ///   - badRows: further lines without a usable address.
    ///   - duplicates: further lines that repeat an earlier address; none if `count` is 0.
    ///   - domain: of all addresses.
    package init(
        seed: UInt64, count: Int, acceptedShare: Double = 0.8, badRows: Int = 0, duplicates: Int = 0,
        domain: String = "borrowers.example"
    ) {
        var generator = SeededGenerator(seed: seed)
        let accepting = Int((Double(count) * acceptedShare).rounded())
        var answers = (0..<count).map { $0 < accepting }
        answers.shuffle(using: &generator)
        let people = answers.enumerated().map { index, accepts in
            Self.person(index, "lener\(index + 1)@\(domain)", accepts, &generator)
        }
        var lines = people
        for index in 0..<badRows {
            let bad = ["lener.zonder.apenstaart", "", "twee@@\(domain)", "met spatie@\(domain)", "@\(domain)"]
            let line = Self.person(count + index, bad[index % bad.count], true, &generator)
            lines.insert(line, at: Int.random(in: 0...lines.count, using: &generator))
        }
        let repeated = people.isEmpty ? 0 : duplicates
        for index in 0..<repeated {
            let original = people[Int.random(in: 0..<people.count, using: &generator)]
            let again = Self.person(
                count + badRows + index, original.address.uppercased(), original.accepts, &generator)
            let first = lines.firstIndex(of: original) ?? 0
            lines.insert(again, at: Int.random(in: (first + 1)...lines.count, using: &generator))
        }
        borrowers = people
        self.lines = lines
        self.badRows = badRows
        self.duplicates = repeated
    }

    /// The addresses of those who said J.
    package var accepted: [String] { borrowers.filter(\.accepts).map(\.address) }
    /// The addresses of those who said N.
    package var refused: [String] { borrowers.filter { !$0.accepts }.map(\.address) }

    /// The list as UTF-8, lines ending in `lineEnd`.
    package func csv(_ style: Style = .wise, lineEnd: String = "\r\n", byteOrderMark: Bool = false) -> [UInt8] {
        var text = byteOrderMark ? "\u{FEFF}" : ""
        switch style {
        case .wise:
            text += "Klantnummer;Roepnaam;Voorvoegsel;Achternaam;Emailadres;\(Self.consentColumn)\(lineEnd)"
            for line in lines {
                let fields = [
                    line.number, line.givenName, line.infix, line.familyName, line.address, line.accepts ? "J" : "N",
                ]
                text += CSVText.line(fields, separator: ";") + lineEnd
            }
        case .plain:
            text += "email,name,language,number,\(Self.consentColumn)\(lineEnd)"
            for line in lines {
                let name = [line.givenName, line.infix, line.familyName].filter { !$0.isEmpty }.joined(separator: " ")
                let fields = [line.address, name, "nl", line.number, line.accepts ? "J" : "N"]
                text += CSVText.line(fields, separator: ",") + lineEnd
            }
        }
        return Array(text.utf8)
    }

    private static func person(
        _ index: Int, _ address: String, _ accepts: Bool, _ generator: inout SeededGenerator
    ) -> Borrower {
        func pick(_ choices: [String]) -> String {
            choices[Int.random(in: 0..<choices.count, using: &generator)]
        }
        let given = pick(["Ma", "Jo", "Lo", "Reë", "Zoé", "Ti"]) + pick(["na", "ke", "ra", "ïn", "bel", "mo"])
        let family = pick(["Dorp", "Berg", "Veld", "Hüls", "Meer", "Bosch"]) + pick(["man", "stra", "huis", "ing"])
        let infix = pick(["", "", "", "van", "de", "van der"])
        return Borrower(
            number: "2X\(String(100_000 + index))", givenName: given, infix: infix, familyName: family,
            address: address, accepts: accepts)
    }
}
