import Foundation
import Glibc

/// One connection to a `CountingSMTPServer`, from the greeting to its end.
struct SMTPSession {
    private struct Transaction {
        let mailFrom: String
        let parameters: [String: String]
        var recipients: [String] = []
    }

    private let options: CountingSMTPServer.Options
    private let connection: ServerConnection
    private let log: ServerLog
    private let number: Int
    private var turns: ServerTurns
    private var hasGreeted = false
    private var isExtended = false
    private var isAuthenticated = false
    private var isEncrypted = false
    private var transaction: Transaction?
    private var bodyBytes = 0
    private var isIdle = false

    init(options: CountingSMTPServer.Options, connection: ServerConnection, log: ServerLog) {
        self.options = options
        self.connection = connection
        self.log = log
        number = log.opened()
        turns = ServerTurns(number: number, connection: connection, log: log)
    }

    /// Serves until the client, the script or the server ends it.
    mutating func run() {
        do {
            try serve()
            connection.sayFarewell()
        } catch {
            switch error {
            case .failed(let code):
                log.violation("the server's socket failed: \(String(cString: strerror(code)))", connection: number)
            case .notEncrypted(let reason):
                log.note { $0.failedHandshakes.append(reason) }
            case .clientClosed, .stopped, .scripted: break
            }
        }
        connection.close()
        log.note { $0.connectionsClosed += 1 }
    }

    private mutating func serve() throws(ConnectionEnding) {
        try turns.perform(decide(.connect), standard: "", turn: "connecting")
        if let encryption = options.encryption, encryption.isImplicit { try encrypt(encryption) }
        try turn(.greeting, "220 \(options.hostname) ESMTP", "connecting")
        while true {
            let line = try nextCommand()
            if try !handle(line) { return }
        }
    }

    private func decide(_ phase: SMTPScript.Phase, recipient: String? = nil, mailFrom: String? = nil)
        -> SMTPScript.Action
    {
        log.decide(
            SMTPScript.Event(
                phase: phase, connection: number, occurrence: 0, mailFrom: mailFrom ?? transaction?.mailFrom,
                recipient: recipient, recipients: transaction?.recipients ?? [], bodyBytes: bodyBytes))
    }

    @discardableResult
    private func turn(_ phase: SMTPScript.Phase, _ standard: String, _ name: String? = nil)
        throws(ConnectionEnding) -> Int?
    {
        try turns.perform(decide(phase), standard: standard, turn: name ?? "\(phase)")
    }

    /// The server's own answer to something that the script is not asked about.
    private func answer(_ text: String, _ name: String) throws(ConnectionEnding) {
        try turns.perform(.proceed, standard: text, turn: name)
    }

    private mutating func nextCommand() throws(ConnectionEnding) -> SMTPCommandLine {
        if isIdle {
            isIdle = false
            var action = decide(.idle)
            while case .delay(let duration, let then) = action {
                let deadline = MonotonicClock.now() + duration.nanoseconds
                action = try connection.waitForInput(until: deadline) ? .proceed : then
            }
            try turns.perform(action, standard: "", turn: "nothing")
        }
        let (bytes, endsInCRLF) = try connection.readLine()
        let line = SMTPCommandLine(bytes: bytes, endsInCRLF: endsInCRLF)
        for violation in line.violations { log.violation(violation, connection: number) }
        log.command(line.verb == "AUTH" ? "AUTH" : String(line.text.prefix(1000)), connection: number)
        return line
    }

    /// Returns false when the dialogue is over.
    private mutating func handle(_ line: SMTPCommandLine) throws(ConnectionEnding) -> Bool {
        switch line.verb {
        case "EHLO", "HELO": try hello(line)
        case "STARTTLS": try startTLS(line)
        case "AUTH": try authenticate(line)
        case "MAIL": try mail(line)
        case "RCPT": try recipient(line)
        case "DATA": try data(line)
        case "RSET":
            expectNoArgument(line)
            transaction = nil
            try turn(.rset, "250 2.0.0 Ok")
            isIdle = true
        case "NOOP": try turn(.noop, "250 2.0.0 Ok")
        case "QUIT":
            expectNoArgument(line)
            log.note { $0.quits += 1 }
            try turn(.quit, "221 2.0.0 Bye")
            return false
        default:
            turns.violation("an unknown command: \(SMTPCommandLine.shown(line.text))")
            try answer("500 5.5.2 Unknown command", "an unknown command")
        }
        return true
    }

    private func expectNoArgument(_ line: SMTPCommandLine) {
        if !line.argument.isEmpty { turns.violation("an argument to \(line.verb): \(line.argument)") }
    }

    private mutating func hello(_ line: SMTPCommandLine) throws(ConnectionEnding) {
        if !SMTPCommandLine.isDomainOrLiteral(line.argument) {
            turns.violation("not a domain in \(SMTPCommandLine.shown(line.text))")
        }
        transaction = nil
        isExtended = line.verb == "EHLO"
        let text = isExtended ? options.helloReply(isEncrypted: isEncrypted) : "250 \(options.hostname)"
        let code = try turn(.ehlo, text)
        hasGreeted = code.map { $0 / 100 == 2 } ?? false
        isIdle = hasGreeted
    }

    private mutating func startTLS(_ line: SMTPCommandLine) throws(ConnectionEnding) {
        expectNoArgument(line)
        guard let encryption = options.encryption, !encryption.isImplicit, !isEncrypted, hasGreeted, isExtended,
            transaction == nil
        else {
            turns.violation("STARTTLS where it is not offered")
            return try answer("503 5.5.1 STARTTLS is not allowed now", "starttls")
        }
        let code = try turn(.starttls, "220 2.0.0 Ready to start TLS")
        guard code.map({ $0 / 100 == 2 }) ?? false else { return }
        try encrypt(encryption)
        // RFC 3207 4.2: what was said in clear is forgotten.
        hasGreeted = false
        isExtended = false
        isIdle = false
    }

    private mutating func encrypt(_ encryption: CountingSMTPServer.Encryption) throws(ConnectionEnding) {
        guard try connection.waitForHello() else {
            turns.violation("not TLS where TLS must begin")
            throw .notEncrypted("the client spoke in clear")
        }
        let action = decide(.handshake)
        try turns.perform(action, standard: "", turn: "handshake")
        var certificate = encryption.certificate
        if case .presenting(let another) = action { certificate = another }
        try connection.encrypt(certificate: certificate.file)
        isEncrypted = true
        log.note { $0.handshakes += 1 }
    }

    private mutating func mail(_ line: SMTPCommandLine) throws(ConnectionEnding) {
        guard hasGreeted, transaction == nil else {
            turns.violation(hasGreeted ? "MAIL inside a transaction" : "MAIL before EHLO")
            return try answer("503 5.5.1 Bad sequence of commands", "mail")
        }
        if options.encryption != nil, !isEncrypted {
            turns.violation("MAIL in clear")
            return try answer("530 5.7.0 Must issue a STARTTLS command first", "mail")
        }
        if options.credentials != nil && !isAuthenticated {
            return try answer("530 5.7.0 Authentication required", "mail")
        }
        guard let path = SMTPPath(line, keyword: "FROM", known: isExtended ? options.mailParameters : []) else {
            turns.violation("not a MAIL command: \(SMTPCommandLine.shown(line.text))")
            return try answer("501 5.5.4 Syntax: MAIL FROM:<address>", "mail")
        }
        for violation in path.violations { turns.violation(violation) }
        let action = decide(.mail, mailFrom: path.address)
        let code = try turns.perform(action, standard: "250 2.1.0 Ok", turn: "mail")
        guard code.map({ $0 / 100 == 2 }) ?? false else { return }
        transaction = Transaction(mailFrom: path.address, parameters: path.parameters)
        log.note { $0.transactions += 1 }
    }

    private mutating func recipient(_ line: SMTPCommandLine) throws(ConnectionEnding) {
        guard transaction != nil else {
            turns.violation("RCPT outside a transaction")
            return try answer("503 5.5.1 Bad sequence of commands", "rcpt")
        }
        guard let path = SMTPPath(line, keyword: "TO", known: isExtended ? options.recipientParameters : []) else {
            turns.violation("not a RCPT command: \(SMTPCommandLine.shown(line.text))")
            return try answer("501 5.5.4 Syntax: RCPT TO:<address>", "rcpt")
        }
        for violation in path.violations { turns.violation(violation) }
        let action = decide(.rcpt, recipient: path.address)
        let code = try turns.perform(action, standard: "250 2.1.5 Ok", turn: "rcpt")
        if code.map({ $0 / 100 == 2 }) ?? false { transaction?.recipients.append(path.address) }
    }

    private mutating func data(_ line: SMTPCommandLine) throws(ConnectionEnding) {
        expectNoArgument(line)
        guard let open = transaction, !open.recipients.isEmpty else {
            turns.violation("DATA without a recipient")
            return try answer("503 5.5.1 Bad sequence of commands", "data")
        }
        let code = try turn(.data, "354 End data with <CR><LF>.<CR><LF>")
        guard code.map({ $0 / 100 == 3 }) ?? false else {
            // RFC 5321 leaves open what remains; like most servers, this one keeps the transaction.
            return
        }
        try body(of: open)
        transaction = nil
        isIdle = true
    }

    private mutating func body(of open: Transaction) throws(ConnectionEnding) {
        var body = SMTPBody()
        bodyBytes = 0
        do {
            try turn(.body, "")
            while true {
                let bytes = try connection.readSome()
                if body.count == 0 { log.note { $0.bodies += 1 } }
                if let rest = body.append(bytes) {
                    connection.unread(rest)
                    break
                }
                bodyBytes = body.count
                try turns.perform(decide(.bodyProgress), standard: "", turn: "body")
            }
        } catch {
            let (connection, raw) = (number, body.raw + connection.unreadBytes)
            let aborted = AbortedTransaction(
                connection: connection, mailFrom: open.mailFrom, recipients: open.recipients, received: raw,
                closedByClient: error == .clientClosed)
            log.note { $0.aborted.append(aborted) }
            throw error
        }
        try finish(body, of: open)
    }

    private mutating func finish(_ body: SMTPBody, of open: Transaction) throws(ConnectionEnding) {
        let dotAt = connection.receivedAt
        let eightBit = open.parameters["BODY"]?.uppercased() == "8BITMIME"
        let (data, violations) = body.unstuffed(eightBitAllowed: eightBit)
        for violation in violations { turns.violation(violation) }
        let connection = number
        let sequence = log.dot { sequence in
            ReceivedMessage(
                sequence: sequence, connection: connection, mailFrom: open.mailFrom, recipients: open.recipients,
                mailParameters: open.parameters, data: data, dotAt: dotAt)
        }
        turns.openMessage = sequence
        defer { turns.openMessage = nil }
        try turn(.dot, "250 2.0.0 Ok: queued as \(String(sequence + 0xA000, radix: 16, uppercase: true))")
    }

    private mutating func authenticate(_ line: SMTPCommandLine) throws(ConnectionEnding) {
        guard hasGreeted, isExtended, transaction == nil, !isAuthenticated,
            isEncrypted || options.encryption == nil, let credentials = options.credentials
        else {
            turns.violation("AUTH where it is not allowed")
            return try answer("503 5.5.1 AUTH is not allowed now", "auth")
        }
        let parts = line.argument.split(separator: " ").map(String.init)
        let given: CountingSMTPServer.Credentials?
        switch parts.first?.uppercased() {
        case "PLAIN": given = try plainCredentials(initial: parts.dropFirst().first)
        case "LOGIN": given = try loginCredentials(initial: parts.dropFirst().first)
        default:
            turns.violation("an AUTH mechanism that was not offered: \(parts.first ?? "")")
            return try answer("504 5.5.4 Unrecognized authentication type", "auth")
        }
        guard let given else {
            return try answer("501 5.5.2 Cannot decode the response", "auth")
        }
        let isRight = given == credentials
        let standard = isRight ? "235 2.7.0 Authentication successful" : "535 5.7.8 Authentication credentials invalid"
        let code = try turn(.auth, standard)
        isAuthenticated = code == 235
        isIdle = isAuthenticated
        let letIn = isAuthenticated
        log.note { snapshot in
            if letIn { snapshot.authentications.append(given.username) } else { snapshot.failedAuthentications += 1 }
        }
    }

    private func plainCredentials(initial: String?) throws(ConnectionEnding) -> CountingSMTPServer.Credentials? {
        let fields = try response(initial, to: "334 ")?.split(separator: 0, omittingEmptySubsequences: false)
        guard let fields, fields.count == 3 else { return nil }
        return .init(
            username: String(decoding: Array(fields[1]), as: UTF8.self),
            password: String(decoding: Array(fields[2]), as: UTF8.self))
    }

    private func loginCredentials(initial: String?) throws(ConnectionEnding) -> CountingSMTPServer.Credentials? {
        guard let username = try response(initial, to: "334 VXNlcm5hbWU6"),
            let password = try response(nil, to: "334 UGFzc3dvcmQ6")
        else { return nil }
        return .init(
            username: String(decoding: username, as: UTF8.self), password: String(decoding: password, as: UTF8.self))
    }

    /// The decoded response, from the command itself or after a challenge.
    private func response(_ initial: String?, to challenge: String) throws(ConnectionEnding) -> [UInt8]? {
        if let initial { return Data(base64Encoded: initial).map { Array($0) } }
        try answer(challenge, "auth")
        let line = try connection.readLine()
        return Data(base64Encoded: String(decoding: line.bytes, as: UTF8.self)).map { Array($0) }
    }
}
