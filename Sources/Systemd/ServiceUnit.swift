import CSystemd
import Glibc

/// What systemd says of a service of this machine. See org.freedesktop.systemd1(5).
package struct ServiceUnit: Sendable, Equatable {
    /// `loaded`, `not-found`, `masked` …
    package var load: String
    /// `active`, `failed`, `inactive` …
    package var active: String
    /// `running`, `dead`, `auto-restart` …
    package var sub: String
    /// `enabled`, `disabled` …; empty where there is no file of the unit.
    package var file: String
    /// How it last ended: `success`, `exit-code`, `watchdog` …
    package var result: String
    /// The exit status of its main process when that last ended.
    package var exitStatus: Int
    /// 0 while it does not run.
    package var mainPID: Int32
    /// What it last said of itself (`STATUS=`).
    package var statusText: String
    /// The user that it runs as; empty for root.
    package var user: String

    package init(
        load: String, active: String, sub: String, file: String, result: String, exitStatus: Int, mainPID: Int32,
        statusText: String, user: String
    ) {
        self.load = load
        self.active = active
        self.sub = sub
        self.file = file
        self.result = result
        self.exitStatus = exitStatus
        self.mainPID = mainPID
        self.statusText = statusText
        self.user = user
    }

    /// Why systemd could not be asked.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Asks systemd about a unit such as `campaignd.service`. Needs no rights.
    package static func look(_ name: String) throws(Failure) -> ServiceUnit {
        let bus = try ManagerBus()
        return try bus.unit(name)
    }
}

/// A connection to systemd: over the system bus, or where there is none, for root, to systemd itself.
private final class ManagerBus {
    private static let unitInterface = "org.freedesktop.systemd1.Unit"
    private static let serviceInterface = "org.freedesktop.systemd1.Service"
    private let bus: OpaquePointer

    init() throws(ServiceUnit.Failure) {
        var opened: OpaquePointer?
        if sd_bus_open_system(&opened) >= 0, let opened {
            bus = opened
            return
        }
        var direct: OpaquePointer?
        guard sd_bus_new(&direct) >= 0, let direct else {
            throw ServiceUnit.Failure(description: "systemd cannot be asked: memory is lacking")
        }
        let result = min(sd_bus_set_address(direct, "unix:path=/run/systemd/private"), sd_bus_start(direct))
        guard result >= 0 else {
            sd_bus_unref(direct)
            throw ServiceUnit.Failure(
                description: "systemd cannot be asked: \(String(cString: strerror(-result)))")
        }
        bus = direct
    }

    deinit { sd_bus_flush_close_unref(bus) }

    func unit(_ name: String) throws(ServiceUnit.Failure) -> ServiceUnit {
        var encoded: UnsafeMutablePointer<CChar>?
        guard sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &encoded) >= 0, let encoded else {
            throw ServiceUnit.Failure(description: "“\(name)” is no name of a unit")
        }
        defer { free(encoded) }
        let path = String(cString: encoded)
        return ServiceUnit(
            load: try text(path, ManagerBus.unitInterface, "LoadState"),
            active: try text(path, ManagerBus.unitInterface, "ActiveState"),
            sub: try text(path, ManagerBus.unitInterface, "SubState"),
            file: try text(path, ManagerBus.unitInterface, "UnitFileState"),
            result: try text(path, ManagerBus.serviceInterface, "Result"),
            exitStatus: Int(try number(path, "ExecMainStatus", type: "i")),
            mainPID: try number(path, "MainPID", type: "u"),
            statusText: try text(path, ManagerBus.serviceInterface, "StatusText"),
            user: try text(path, ManagerBus.serviceInterface, "User"))
    }

    private func text(_ path: String, _ interface: String, _ member: String) throws(ServiceUnit.Failure) -> String {
        var value: UnsafeMutablePointer<CChar>?
        let result = sd_bus_get_property_string(
            bus, "org.freedesktop.systemd1", path, interface, member, nil, &value)
        guard result >= 0, let value else { throw failure(member, result) }
        defer { free(value) }
        return String(cString: value)
    }

    /// - Parameter type: `i` or `u` of D-Bus, both of 32 bits.
    private func number(_ path: String, _ member: String, type: Character) throws(ServiceUnit.Failure) -> Int32 {
        var value: Int32 = 0
        let result = sd_bus_get_property_trivial(
            bus, "org.freedesktop.systemd1", path, ManagerBus.serviceInterface, member, nil,
            CChar(type.asciiValue ?? 0), &value)
        guard result >= 0 else { throw failure(member, result) }
        return value
    }

    private func failure(_ member: String, _ result: Int32) -> ServiceUnit.Failure {
        ServiceUnit.Failure(description: "systemd does not tell \(member): \(String(cString: strerror(-result)))")
    }
}
