import Foundation
import Mailing

/// Metrics in Prometheus' text exposition format 0.0.4.
struct MetricsText {
    enum Kind: String {
        /// Only grows, but for a restart of what counts.
        case counter
        case gauge
    }

    struct Sample {
        var labels: [(name: String, value: String)] = []
        var value: Double

        init(_ labels: KeyValuePairs<String, String>, _ value: some MetricsValue) {
            self.labels = labels.map { ($0.key, $0.value) }
            self.value = value.metric
        }

        init(_ value: some MetricsValue) {
            self.init([:], value)
        }
    }

    private(set) var text = ""

    /// Adds one family. Without a sample it is left out.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        text += "# HELP campaignd_\(name) \(MetricsText.escaped(help))\n# TYPE campaignd_\(name) \(kind.rawValue)\n"
        for sample in samples {
            text += "campaignd_\(name)"
            if !sample.labels.isEmpty {
                let labels = sample.labels.map { "\($0.name)=\"\(MetricsText.escaped($0.value, quotes: true))\"" }
                text += "{\(labels.joined(separator: ","))}"
            }
            text += " \(MetricsText.number(sample.value))\n"
        }
    }

    private static func escaped(_ text: String, quotes: Bool = false) -> String {
        let plain = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        return quotes ? plain.replacing("\"", with: "\\\"") : plain
    }

    /// Whole numbers without a point, as people read them.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}

/// What the value of a sample may be made of.
protocol MetricsValue {
    var metric: Double { get }
}

extension Double: MetricsValue {
    var metric: Double { self }
}

extension Int: MetricsValue {
    var metric: Double { Double(self) }
}

extension Int64: MetricsValue {
    var metric: Double { Double(self) }
}

extension Bool: MetricsValue {
    var metric: Double { self ? 1 : 0 }
}

extension Timestamp: MetricsValue {
    /// Seconds since 1970.
    var metric: Double { Double(milliseconds) / 1000 }
}
