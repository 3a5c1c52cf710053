import Foundation

/// Where the presets are that came with the program, for a configuration that does not say.
enum PresetsDirectory {
    /// Beside the configuration; else where a package installs them; else beside the program, installed under another
    /// prefix or still in its source tree. Where there are none, the first: the error then names it.
    static func standard(
        beside configuration: String, program: String = "/proc/self/exe",
        installed: [String] = ["/etc/campaignd/presets", "/usr/share/campaignd/presets"]
    ) -> String {
        let places = [configuration] + installed + besideProgram(program)
        return places.first(where: isDirectory) ?? configuration
    }

    private static func besideProgram(_ program: String) -> [String] {
        var places: [String] = []
        var folder = URL(fileURLWithPath: program).resolvingSymlinksInPath().deletingLastPathComponent()
        places.append(folder.deletingLastPathComponent().appendingPathComponent("share/campaignd/presets").path)
        // .build/TRIPLE/release/campaignd lies four levels below the root of the source tree.
        for _ in 0..<4 {
            places.append(folder.appendingPathComponent("config/presets").path)
            folder = folder.deletingLastPathComponent()
        }
        return places
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }
}
