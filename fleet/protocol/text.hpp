#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "fleet/protocol/state.hpp"

namespace fleet {

/// A text that is not what it should be: it is damaged, or from a later version. what() names the
/// member at fault.
struct Unreadable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// It is of a version of the protocol that this program does not speak.
struct Newer : Unreadable {
  using Unreadable::Unreadable;
};

/// The version of all forms below, but for a state's, which is that of the protocol that it needs.
inline constexpr int kForm = 1;

// Nodes and files as JSON. Each `…_from` throws Unreadable. Members that are not known are passed
// over, so that a later program may add some within a version. O(bytes).

std::string to_text(const State& state);
State state_from(std::string_view text);
std::string to_text(const Blocks& blocks);
Blocks blocks_from(std::string_view text);
std::string to_text(const Entry& entry);
Entry entry_from(std::string_view text);
std::string to_text(const Answer& answer);
Answer answer_from(std::string_view text);
std::string to_text(const Record& record);
Record record_from(std::string_view text);
std::string to_text(const Membership& membership);
Membership membership_from(std::string_view text);

/// For people, too.
std::string_view to_string(Kind kind);
std::string_view to_string(Stage stage);
std::string_view to_string(Record::Phase phase);

}  // namespace fleet
