#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/container/small_vector.hpp>

namespace router {

/// A text and what is to be cut out of it and put into it, without copying the text: the result
/// is a list of pieces. A value; a request's few edits need no memory but its own. Reusable.
class Edits {
 public:
  /// Forgets all edits.
  void clear();
  [[nodiscard]] bool empty() const { return edits_.empty(); }

  /// Puts `text` (copied) before the byte at `position`. Edits at one position keep their order.
  void insert(std::size_t position, std::string_view text);
  /// The same for a text in pieces.
  void insert(std::size_t position, std::initializer_list<std::string_view> texts);
  /// Cuts out the bytes from `begin` up to `end`; ranges must not overlap.
  void erase(std::size_t begin, std::size_t end);
  /// Both: what lies from `begin` up to `end` becomes `text`.
  void replace(std::size_t begin, std::size_t end, std::string_view text);

  /// The edited `text` as consecutive pieces, none of them empty. Valid until this object is
  /// changed or moved, and as long as `text` stays. O(edits log edits).
  [[nodiscard]] std::span<const std::string_view> pieces(std::string_view text);

  /// Version 2's checksum of the edited text, from that of `text`, where that takes less than
  /// summing it anew; nullopt where not, or before `pieces(text)`. O(what comes after the first
  /// edit).
  [[nodiscard]] std::optional<std::uint16_t> checksum(std::string_view text,
                                                      std::uint16_t checksum) const;

 private:
  /// What becomes of the range is the last `text_bytes` of inserted_.
  void note(std::size_t begin, std::size_t end, std::size_t text_bytes);
  struct Edit {
    std::size_t begin, end;              // cut out of the text
    std::size_t text_begin, text_bytes;  // put in instead, out of inserted_
  };
  // A put has three: the vnode, the old etag's new name, the value that nobody reads.
  boost::container::small_vector<Edit, 4> edits_;
  boost::container::small_vector<char, 128> inserted_;
  boost::container::small_vector<std::string_view, 8> pieces_;
};

}  // namespace router
