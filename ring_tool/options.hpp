#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ring_tool {

/// An option of a command, as node-fash's scripts write it: `-v 3`, `-v3`, `--vnode 3`,
/// `--vnode=3`; flags may be bundled (`-ov3`).
struct Option {
  char letter = 0;
  std::vector<std::string> names;  ///< the first is what it is asked for by
  bool takes_value = true;
};

/// A command line, taken apart. The last of repeated options wins, and all are kept.
class Options {
 public:
  /// Throws Failure in node-fash's words: unknown option, missing value.
  Options(const std::vector<Option>& known, const std::vector<std::string>& words);

  /// The option's value; nullopt where it was not given. A flag's is empty.
  [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return get(name).has_value(); }
  /// Throws WrongUse where it is absent or empty.
  [[nodiscard]] std::string required(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& arguments() const { return arguments_; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> arguments_;
};

}  // namespace ring_tool
