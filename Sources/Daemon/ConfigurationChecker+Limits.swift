import Mailing

/// When a relay may be used, and how much.
extension ConfigurationChecker {
    mutating func window(_ section: ConfigurationDocument.WindowSection, key: String) -> SendingWindow? {
        let words = SendingWindow.Day.allCases.map(\.rawValue)
        let days = section.days.compactMap { SendingWindow.Day(rawValue: $0) }
        let isListOfDays = !days.isEmpty && days.count == section.days.count && Set(days).count == days.count
        if !isListOfDays {
            refuse(key + ".days", "must be one or more of \(words.joined(separator: ", ")), none twice")
        }
        let from = SendingWindow.minutes(section.from).flatMap { $0 < 1440 ? $0 : nil }
        if from == nil { refuse(key + ".from", "must be a time from 00:00 to 23:59") }
        let to = SendingWindow.minutes(section.to)
        if to == nil { refuse(key + ".to", "must be a time from 00:00 to 24:00") }
        if from != nil, from == to { refuse(key + ".to", "must be another time than “from”; whole days: 00:00, 24:00") }
        if TimeZones.rule(section.time_zone) == nil {
            refuse(key + ".time_zone", "there is no time zone “\(section.time_zone)”, such as Europe/Amsterdam")
        }
        guard isListOfDays, let from, let to else { return nil }
        return SendingWindow(days: days, from: from, to: to, timeZone: section.time_zone)
    }

    /// As many as one look at a queue can ask about.
    private static let domainLimit = 100

    mutating func domains(_ section: ConfigurationDocument.RelaySection, key: String) -> [String: Int] {
        let written = (section.domains ?? [:]).sorted { $0.key < $1.key }
        if written.count > Self.domainLimit { refuse(key, "at most \(Self.domainLimit) domains can be limited") }
        var domains: [String: Int] = [:]
        for (name, limit) in written {
            guard let domain = try? AddressText.read("a@" + name).domain else {
                refuse("\(key).\(name)", "this is no domain such as gmail.com")
                continue
            }
            if domains[domain] != nil { refuse("\(key).\(name)", "\(domain) is limited twice") }
            let most = max(1, min(section.messages_per_hour, Pacer.domainRates.upperBound))
            if !(Pacer.domainRates.lowerBound...most).contains(limit.messages_per_hour) {
                refuse(
                    "\(key).\(name).messages_per_hour",
                    "must be 1 ... \(most), which is what the relay itself may send in an hour")
            }
            domains[domain] = limit.messages_per_hour
        }
        return domains
    }
}
