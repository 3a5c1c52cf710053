import Foundation
import Mailing
import Spool

/// A document as a job, dropped as one file and as a bundle.
enum JobTarget {
    static func check(_ input: [UInt8]) {
        let single = JobReader.read(input, file: "a.json", form: .single)
        let bundle = JobReader.read(input, file: "a.json", form: .bundle)
        let places = Places(input)
        let document = JSONTarget.read(input, JSONLimits(bytes: JobReader.byteLimit))
        for result in [single, bundle] {
            switch result {
            case .success(let job):
                guard case .success(let value) = document else { fatalError("a job is JSON") }
                check(job)
                checkSpellings(value, job, single == result ? .single : .bundle)
                checkSize(input, job)
            case .failure(let errors): check(errors, places, document)
            }
        }
        if case .success(let job) = single {
            require(bundle == single, "what one file may say, a bundle may say")
            require(job.files.isEmpty, "one file names no other")
        }
    }

    private static func checkSize(_ input: [UInt8], _ job: Job) {
        let exact = JobReader.read(input, file: "a.json", form: .bundle, byteLimit: input.count)
        require(exact == .success(job), "a job that just keeps to the limit is read")
        guard
            case .failure(let errors) = JobReader.read(
                input, file: "a.json", form: .bundle, byteLimit: input.count - 1)
        else { fatalError("a property does not hold: the limit of bytes") }
        require(errors.errors.count == 1, "too large is one error")
    }

    /// However it is spelled it is the same job, and a key too many or one too few is one error.
    private static func checkSpellings(_ value: JSONValue, _ job: Job, _ form: DropName.Form) {
        guard case .object(let members) = value.content else { fatalError("a job is an object") }
        func read(_ members: [JSONMember], _ spelling: JSONSpelling) -> Result<Job, JobErrors> {
            let text = spelling.text(JSONValue(.object(members), at: value.position))
            return JobReader.read(Array(text.utf8), file: "a.json", form: form, byteLimit: 64 << 20)
        }
        for spelling in JSONSpelling.all {
            require(read(members, spelling) == .success(job), "the same job in other words is the same job")
        }
        let stranger = JSONMember(key: "stranger/~", position: value.position, value: value)
        for wrong in [members + [stranger], members.filter { $0.key != "id" }] {
            guard case .failure(let errors) = read(wrong, .plain) else {
                fatalError("a property does not hold: an unknown key and a missing id are errors")
            }
            require(errors.errors.count == 1, "one fault is one error: \(errors.errors)")
        }
    }

    private static func check(_ errors: JobErrors, _ places: Places, _ document: Result<JSONValue, JSONError>) {
        require((1...JobReader.errorLimit).contains(errors.errors.count), "there are 1 to 1000 errors")
        require(errors.id.map { JobID.isValid($0) } ?? true, "an id that is named is an id")
        require(errors.kind.map { Job.Kind(rawValue: $0) != nil } ?? true, "a kind that is named is a kind")
        var last = JSONPosition(line: 0, column: 0)
        for error in errors.errors {
            require(error.message.hasSuffix("."), "“\(error.message)” is a sentence")
            require(!hasControl(error.message), "no control character gets into an explanation")
            require(error.message.unicodeScalars.count <= 1_000, "an explanation is short: \(error.message)")
            guard let line = error.line, let column = error.column else {
                require(errors.errors.count == JobReader.errorLimit, "only the note of further errors has no place")
                continue
            }
            let position = JSONPosition(line: line, column: column)
            require(places.offset(of: position) != nil, "\(position) is a place in the document")
            require(position >= last, "errors are in the order of the file")
            last = position
            guard case .success(let value) = document else {
                require(error.pointer == nil && errors.errors.count == 1, "a fault of the JSON is the only one")
                continue
            }
            let target = error.pointer.flatMap { resolve($0[...], in: value) }
            require(target != nil, "\(error.pointer ?? "nil") points into the document")
        }
    }

    /// RFC 6901 section 4.
    private static func resolve(_ pointer: Substring, in value: JSONValue) -> JSONValue? {
        guard !pointer.isEmpty else { return value }
        guard pointer.utf8.first == 47 else { return nil }
        let rest = pointer.unicodeScalars.dropFirst()
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        let token = String(rest[..<end]).replacingOccurrences(of: "~1", with: "/", options: .literal)
            .replacingOccurrences(of: "~0", with: "~", options: .literal)
        switch value.content {
        case .array(let elements):
            guard let index = Int(token), elements.indices.contains(index) else { return nil }
            return resolve(Substring(rest[end...]), in: elements[index])
        case .object(let members):
            return members.first { $0.key == token }.flatMap { resolve(Substring(rest[end...]), in: $0.value) }
        default: return nil
        }
    }

    private static func check(_ job: Job) {
        require(JobID.isValid(job.id.text), "the id is an id")
        job.files.forEach(checkFile)
        switch job {
        case .campaign(let campaign): check(campaign)
        case .contacts(let contacts):
            require((1...100).contains(contacts.lists.count), "1 to 100 lists")
            guard let evidence = contacts.consent else { return }
            require(!evidence.accepted.isEmpty, "some value means yes")
            require(Set(evidence.accepted).isDisjoint(with: evidence.refused), "no value means yes and no")
            checkLine(evidence.source, evidence.column)
        case .consent(let consent):
            require((1...10_000).contains(consent.events.count), "1 to 10000 events")
            for event in consent.events {
                checkAddress(event.address)
                require(event.event != .imported, "nobody reports what only a list can say")
                checkLine(event.source, event.purpose)
            }
        case .control(let control):
            require(JobID.isValid(control.campaign.text), "the campaign is an id")
            control.reason.map { checkLine($0) }
        }
    }

    private static func check(_ campaign: Campaign) {
        checkLine(campaign.subject, campaign.reason, campaign.purpose)
        campaign.sender.name.map { checkLine($0) }
        for (key, value) in campaign.defaults { checkLine(key, value) }
        checkAddress(campaign.sender.address)
        campaign.replyTo.map(checkAddress)
        campaign.reportTo.map(checkAddress)
        campaign.test?.recipients.forEach(checkAddress)
        for case .address(let address) in campaign.recipients { checkAddress(address) }
        for case .group(let name) in campaign.recipients { checkLine(name) }
        require((1...10_000).contains(campaign.recipients.count), "1 to 10000 sources of recipients")
        require(campaign.attachments.count <= 20, "at most 20 attachments")
        require(Set(campaign.attachments).count == campaign.attachments.count, "no attachment comes twice")
        require(Set(campaign.relays).count == campaign.relays.count, "no relay comes twice")
        require(campaign.text != nil || campaign.html != nil, "there is a body")
        require((campaign.basis == .service) == (campaign.justification != nil), "a service mailing is justified")
        if let test = campaign.test {
            require((1...Campaign.testRecipientLimit).contains(test.recipients.count), "a test has its recipients")
            require(Set(test.recipients).count == test.recipients.count, "nobody gets a test twice")
        }
        if let sendAfter = campaign.sendAfter, let expires = campaign.expires {
            require(sendAfter < expires, "it expires after it begins")
        }
    }

    /// A name that cannot lead out of the bundle.
    private static func checkFile(_ name: String) {
        let parts = name.utf8.split(separator: 47, omittingEmptySubsequences: false)
        require((1...255).contains(name.utf8.count), "a file name has 1 to 255 bytes")
        require(parts.allSatisfy { !$0.isEmpty && $0.first != 46 }, "no part of “\(name)” is empty or hidden")
        require(!hasControl(name) && !name.utf8.contains(92), "“\(name)” has nothing odd in it")
        require(name != "job.json", "the job is no file of itself")
    }

    private static func checkAddress(_ address: EmailAddress) {
        let again = try? AddressText.read(address.text)
        require(again.map { isSameText($0.key, address.key) } ?? false, "“\(address)” is an address for lists too")
    }

    private static func checkLine(_ texts: String...) {
        for text in texts {
            require(!hasControl(text) && !text.contains(where: \.isNewline), "“\(text)” is one line")
            require(text.contains { $0 != " " }, "there is something to see")
        }
    }
}
