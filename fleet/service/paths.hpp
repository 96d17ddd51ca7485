#pragma once

#include <cstdint>
#include <string>

namespace fleet {

/// Where a fleet's nodes are (docs/fleet.md).
class Paths {
 public:
  /// `fleet`: its name, which has no slash. Throws std::invalid_argument.
  explicit Paths(const std::string& fleet);

  /// Whether a member may be called that.
  [[nodiscard]] static bool can_be_id(const std::string& id);
  /// Of all fleets' roots.
  [[nodiscard]] static std::string parent() { return "/moray-router"; }
  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string state() const { return root_ + "/state"; }
  [[nodiscard]] std::string blocks() const { return root_ + "/blocks"; }
  [[nodiscard]] std::string roster() const { return root_ + "/roster"; }
  [[nodiscard]] std::string entry(const std::string& id) const { return roster() + "/" + id; }
  [[nodiscard]] std::string answers() const { return root_ + "/acks"; }
  [[nodiscard]] std::string answer(const std::string& id) const { return answers() + "/" + id; }
  [[nodiscard]] std::string images() const { return root_ + "/images"; }
  [[nodiscard]] std::string image(const std::string& digest) const {
    return images() + "/" + digest;
  }
  [[nodiscard]] std::string history() const { return root_ + "/history"; }
  /// Of one write of the state; in order of `seq` by name.
  [[nodiscard]] std::string step(std::uint64_t seq, const std::string& by) const;
  [[nodiscard]] std::string lives() const { return root_ + "/live"; }
  [[nodiscard]] std::string live(const std::string& id) const { return lives() + "/" + id; }

  /// For people, where not both are there: that there is no fleet, or what it lacks.
  [[nodiscard]] std::string what_is_missing(bool has_state, bool has_blocks) const;

 private:
  std::string root_;
};

}  // namespace fleet
