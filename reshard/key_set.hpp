#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace reshard {

/// Keys, each once, in the order in which they came. Their bytes lie one after another in blocks,
/// with some 40 bytes for each key beside them: a million keys of 60 bytes take about 100 MB, a
/// third of what a set of strings takes. Lives on one thread. Moves, and does not copy.
class KeySet {
 public:
  KeySet() = default;
  KeySet(KeySet&&) = default;
  KeySet& operator=(KeySet&&) = default;
  KeySet(const KeySet&) = delete;
  KeySet& operator=(const KeySet&) = delete;

  /// False: it is there already. O(1) on average.
  bool insert(std::string_view key);
  [[nodiscard]] std::uint64_t size() const { return keys_.size(); }
  [[nodiscard]] bool empty() const { return keys_.empty(); }
  /// Of this process's memory, all together.
  [[nodiscard]] std::uint64_t bytes() const;

  /// The first of them, so many at most.
  [[nodiscard]] std::vector<std::string> first(std::uint64_t most) const;
  /// All of them, some at a time: parts of at most `kKeysAtOnce` keys (reshard/rows.hpp) and, but
  /// for one key that is longer, of at most `kKeyBytesAtOnce`.
  void each_part(const std::function<void(const std::vector<std::string>& part)>& sink) const;

 private:
  std::string_view kept(std::string_view key);
  [[nodiscard]] std::size_t place(std::string_view key) const;
  void grow();

  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t block_bytes_ = 0;         // of all blocks
  std::size_t room_ = 0;                // left in the last block
  char* next_ = nullptr;                // in it
  std::vector<std::string_view> keys_;  // in the order in which they came
  std::vector<std::uint32_t> places_;   // by hash: 1 + the key's index; 0: none
};

/// Keys by bucket, as the log names them.
using KeysByTable = std::map<std::string, KeySet>;

}  // namespace reshard
