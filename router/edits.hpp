#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace router {

/// A text and what is to be cut out of it and put into it, without copying the text: the result
/// is a list of pieces. Reusable; allocates only to grow. Lives on one worker.
class Edits {
 public:
  /// Forgets all edits.
  void clear();
  [[nodiscard]] bool empty() const { return edits_.empty(); }

  /// Puts `text` (copied) before the byte at `position`. Edits at one position keep their order.
  void insert(std::size_t position, std::string_view text);
  /// Cuts out the bytes from `begin` up to `end`; ranges must not overlap.
  void erase(std::size_t begin, std::size_t end);
  /// Both: what lies from `begin` up to `end` becomes `text`.
  void replace(std::size_t begin, std::size_t end, std::string_view text);

  /// The edited `text` as consecutive pieces, none of them empty. Valid until the next change of
  /// this object and as long as `text` stays. O(edits log edits).
  [[nodiscard]] std::span<const std::string_view> pieces(std::string_view text);

 private:
  struct Edit {
    std::size_t begin, end;              // cut out of the text
    std::size_t text_begin, text_bytes;  // put in instead, out of inserted_
  };
  std::vector<Edit> edits_;
  std::string inserted_;
  std::vector<std::string_view> pieces_;
};

}  // namespace router
