package import Mailing

/// Reads the file of a job: strict JSON, then the rules of its kind. `spool/schema` publishes the same rules.
package enum JobReader {
    /// A job file may have at most 16 MiB.
    package static let byteLimit = 16 << 20
    /// At most this many errors are collected; then one more says how many there were.
    package static let errorLimit = 1_000

    /// The job, or everything that is wrong with it.
    ///
    /// A fault of the JSON itself ends the reading; every other fault is collected, so that a submitter sees all of
    /// them at once, in the order of the file.
    /// - Parameters:
    ///   - file: The name under which errors speak of the file: `job.json` or NAME.json.
    ///   - form: How the job was dropped. A single file cannot refer to other files.
    package static func read(
        _ bytes: [UInt8], file: String, form: DropName.Form, byteLimit: Int = JobReader.byteLimit
    ) -> Result<Job, JobErrors> {
        let document: JSONValue
        do {
            document = try JSONReader.read(bytes, limits: JSONLimits(bytes: byteLimit))
        } catch {
            let fault = JobError(
                pointer: nil, line: error.position.line, column: error.position.column, file: file,
                message: error.message)
            return .failure(JobErrors(errors: [fault], id: nil, kind: nil))
        }
        let reading = JobReading(file: file, form: form)
        let node = JobNode(value: document, pointer: "", reading: reading)
        let kind = Self.kind(of: node)
        let job = kind.flatMap { Self.job(of: $0, in: node) }
        if let job, reading.isFaultless { return .success(job) }
        return .failure(JobErrors(errors: reading.allErrors, id: id(of: node)?.text, kind: kind?.rawValue))
    }

    private static func kind(of node: JobNode) -> Job.Kind? {
        guard let members = node.members("a job") else { return nil }
        let known = Job.Kind.allCases.map { "“\($0.rawValue)”" }.joined(separator: ", ")
        guard let member = members.first(where: { $0.key == "kind" }) else {
            node.fail("Add “kind”, which is one of \(known).")
            return nil
        }
        return node.child(member.value, named: "kind").choice(Job.Kind.self)
    }

    /// The id of a job that is being rejected, if it has a good one.
    private static func id(of node: JobNode) -> JobID? {
        guard case .object(let members) = node.value.content,
            case .string(let text) = members.first(where: { $0.key == "id" })?.value.content
        else { return nil }
        return JobID(text)
    }

    private static func job(of kind: Job.Kind, in node: JobNode) -> Job? {
        let what = "a \(kind.rawValue) job"
        let common = ["kind", "id", "$schema"]
        switch kind {
        case .campaign:
            guard let object = node.object(what, knowing: common + CampaignKeys.all) else { return nil }
            return campaign(object).map(Job.campaign)
        case .contacts:
            guard let object = node.object(what, knowing: common + ["lists", "consent"]) else { return nil }
            return contacts(object).map(Job.contacts)
        case .consent:
            guard let object = node.object(what, knowing: common + ["events"]) else { return nil }
            return consent(object).map(Job.consent)
        case .control:
            let keys = ["campaign", "action", "reason", "as", "address", "from", "to"]
            guard let object = node.object(what, knowing: common + keys) else { return nil }
            return control(object).map(Job.control)
        }
    }

    /// What every kind of job has beside `kind`: its id. An editor's `$schema` is allowed and means nothing.
    static func envelope(_ object: JobObject) -> JobID? {
        _ = object.optional("$schema") { $0.text() }
        return object.required("id", "a name of your own that no other job has") { $0.jobID() }
    }
}

/// Everything that is wrong with a job file, for its rejection.
package struct JobErrors: Error, Hashable, Sendable {
    /// In the order of the file; never empty.
    package var errors: [JobError]
    /// The job's id, if it has one of the right form.
    package var id: String?
    /// The job's kind, if it has one that exists.
    package var kind: String?

    package init(errors: [JobError], id: String?, kind: String?) {
        self.errors = errors
        self.id = id
        self.kind = kind
    }
}
