import Mailing

/// The bytes of a server, read as replies.
enum ReplyTarget {
    static func check(_ input: [UInt8]) {
        let whole = read([input])
        if input.count <= 512 {
            require(read(input.map { [$0] }) == whole, "replies are the same when their bytes come one by one")
        }
        var cuts = Cuts(input)
        require(read(cuts.pieces(of: input)) == whole, "replies are the same however their bytes are cut")

        let expected = ReplyModel(input)
        require(whole.replies == expected.replies, "replies are \(expected.replies), not \(whole.replies)")
        require(whole.isViolated == expected.isViolated, "a violation is found if there is one, and only then")
        require(whole.isViolated || whole.hasLeftover == expected.hasLeftover, "what is left over is known")
        whole.replies.forEach(check)
    }

    private struct Reading: Equatable {
        var replies: [SMTPReply] = []
        var violation: String?
        var hasLeftover = false

        var isViolated: Bool { violation != nil }
    }

    private static func read(_ pieces: [[UInt8]]) -> Reading {
        var parser = SMTPReplyParser()
        var reading = Reading()
        do throws(SMTPReplyParser.Violation) {
            for piece in pieces {
                parser.append(piece)
                while let reply = try parser.next() { reading.replies.append(reply) }
            }
            reading.hasLeftover = parser.hasLeftover
        } catch {
            reading.violation = error.description
        }
        return reading
    }

    private static func check(_ reply: SMTPReply) {
        require((200...599).contains(reply.code), "\(reply.code) is a code")
        require((1...100).contains(reply.lines.count), "a reply has 1 to 100 lines")
        require(!reply.lines.contains(where: hasControl), "no control character gets into a text")
        require(reply.text.unicodeScalars.count <= 500, "the text that is kept is at most 500 characters long")
        let severity: [Int: SMTPReply.Severity] = [2: .positive, 3: .intermediate, 4: .temporary, 5: .permanent]
        require(reply.severity == severity[reply.code / 100], "\(reply.code) is as severe as its first digit")
        if let id = reply.queueID {
            require(reply.code / 100 == 2, "only a reply that accepts has a queue id")
            require((1...100).contains(id.unicodeScalars.count) && !id.contains(" "), "a queue id is one word")
        }
        if let enhanced = reply.enhanced {
            require(enhanced.class == reply.code / 100, "an enhanced code that contradicts its reply is none")
            require(EnhancedStatusCode(leading: enhanced.description) == enhanced, "\(enhanced) is read again")
        }
    }
}

/// What RFC 5321 4.2 and our limits make of a stream, found by other means than the parser's.
struct ReplyModel {
    var replies: [SMTPReply] = []
    var isViolated = false
    var hasLeftover = false

    init(_ stream: [UInt8]) {
        var lines = stream.split(separator: 10, omittingEmptySubsequences: false)
        var unfinished = lines.removeLast()
        var texts: [String] = []
        var code: [UInt8] = []
        for line in lines {
            let line = line.last == 13 ? line.dropLast() : line
            let head = Array(line.prefix(3))
            let mark = line.dropFirst(3).first ?? 32
            guard Self.isCode(head), mark == 32 || mark == 45, line.count <= 2000, texts.count < 100,
                code.isEmpty || code == head
            else {
                isViolated = true
                return
            }
            code = head
            texts.append(Self.shown(line.dropFirst(4)))
            if mark == 45 { continue }
            replies.append(SMTPReply(code: Int(String(decoding: head, as: UTF8.self)) ?? 0, lines: texts))
            (texts, code) = ([], [])
        }
        hasLeftover = !unfinished.isEmpty || !texts.isEmpty
        if unfinished.last == 13 { unfinished.removeLast() }
        isViolated = unfinished.count > 2000
    }

    private static func isCode(_ head: [UInt8]) -> Bool {
        head.count == 3 && (50...53).contains(head[0]) && head.allSatisfy { (48...57).contains($0) }
    }

    private static func shown(_ bytes: ArraySlice<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            text.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return String(text)
    }
}
