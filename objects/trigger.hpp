#pragma once

#include <cstdint>
#include <string_view>

#include "objects/js_value.hpp"

namespace objects {

/// What a trigger's source text is to JavaScript, as far as its outer form tells.
enum class Source : std::uint8_t {
  function,  ///< a function or arrow function
  other,     ///< an expression of another kind
  broken,    ///< does not parse
};

/// Judges by tokens: brackets and quotes must close, two words in a row are no expression, and a
/// function begins as one. No JavaScript is run. O(bytes).
Source classify_source(std::string_view source);

/// What running a bucket's triggers takes.
enum class Triggers : std::uint8_t {
  none,
  record_delete_log,  ///< Manta's, done natively (objects/delete_log)
  unknown,            ///< JavaScript that can't be run here: objects are read only
};
Triggers classify_triggers(const JsArray& pre, const JsArray& post);

}  // namespace objects
