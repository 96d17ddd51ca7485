#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "coordination/session.hpp"
#include "fleet/agent/session_keeper.hpp"
#include "fleet/images/image.hpp"
#include "fleet/protocol/coordinator.hpp"
#include "fleet/service/paths.hpp"

namespace fleet {

/// The service has not done what was asked: what() is for people.
struct OperatorError : std::runtime_error {
  explicit OperatorError(const std::string& what, bool unknown_ = false)
      : std::runtime_error(what), unknown(unknown_) {}
  bool unknown;  ///< nobody knows whether it was done
};
/// Nor will it, until a person has seen to it: wrong credentials, no such fleet.
struct OperatorRefused : OperatorError {
  using OperatorError::OperatorError;
};
/// The service has no such fleet, or has lost it.
struct NoFleet : OperatorRefused {
  using OperatorRefused::OperatorRefused;
};
/// There is a fleet already, of another ring.
struct OtherRing : OperatorError {
  using OperatorError::OperatorError;
};

/// A fleet's member as an operator sees it.
struct MemberView {
  Entry entry;
  std::int32_t version = 0;  ///< of its entry
  std::optional<Answer> answer;
  std::string lives;    ///< the incarnation of the process that shows itself; empty: none does
  std::string problem;  ///< what of this can't be read; empty: all can
};

/// All that the service says of a fleet, as it was after this program had asked.
struct FleetView {
  State state;
  std::int32_t version = 0;
  Blocks blocks;
  std::map<std::string, MemberView> members;
};

/// What the service has of a fleet, though not all of it is there, or makes sense.
struct Remains {
  std::string problem;  ///< what is missing, or can't be read; empty: nothing
  std::optional<State> state;
  Blocks blocks;
  std::map<std::string, MemberView> members;
  std::uint64_t highest_seq = 0;  ///< of any step that is known there
  /// Versions of the nodes that are there, by path.
  std::map<std::string, std::int32_t> versions;
};

/// What is written where the service has lost a fleet, or was restored to an earlier day: no change
/// is open, and these are its members.
struct Refounding {
  State state;  ///< `seq` is above all that any member has seen
  Blocks blocks;
  std::map<std::string, Entry> members;
  std::string note;  ///< for the history
};

/// How a change went.
struct ChangeRun {
  Ending ending;
  State state;  ///< after it, as the coordinator has left it
  std::chrono::nanoseconds took{};
  /// From the commit to its closing: members put the ring in force. 0: it did not come so far.
  std::chrono::nanoseconds activation{};
  /// Of a committed one: members that had not said yet that they have it. Their leases are over.
  std::string missing;
};

/// One command's session with the service in which a fleet agrees: each call waits for its answer,
/// and runs the loop meanwhile, on which nothing else lives. Owned by one thread. Every call throws
/// OperatorError.
class Operator {
 public:
  /// Connects within `limit`, which holds for each further answer, too.
  Operator(boost::asio::io_context& loop, MakeSession make, Paths paths,
           std::chrono::milliseconds limit);

  /// Makes a fleet of that ring, whose image is put there, if it goes through the service; a fleet
  /// of this very ring that is there already is well.
  void found(const RingName& ring, const Geometry& geometry, const std::optional<Image>& image);
  [[nodiscard]] Geometry geometry();
  [[nodiscard]] FleetView look();
  [[nodiscard]] Image image(const std::string& digest);
  void put(const Image& image);

  /// Brings it about, or says why not. `told`: for whom it waits, and what is wrong, for people.
  ChangeRun run(CoordinatorOptions options, Intent intent,
                const std::function<void(const std::string&)>& told);

  /// Takes a member off the roster, if it is as it was seen, and no change is open. `who`: for the
  /// history.
  void remove(const FleetView& view, const std::string& id, const std::string& who);
  /// Says of a router that knows nothing of fleets what it does; likewise.
  void put_foreign(const FleetView& view, const std::string& id, const Foreign& foreign,
                   const std::string& who);
  /// Throws OperatorRefused where what is there is of a later version than this program knows.
  [[nodiscard]] Remains remains();
  /// Writes the fleet anew, in one step; fails where somebody else has written since `there` was
  /// looked at.
  void refound(const Remains& there, const Refounding& anew, const Geometry& geometry);
  /// The last steps, oldest first: what each write of the state has said, as JSON.
  [[nodiscard]] std::vector<std::string> history();
  /// Takes images and steps away that nobody needs. What fails is left for the next time.
  void tidy();

 private:
  void wait(const std::function<bool()>& there, const char* what) { wait(there, what, limit_); }
  void wait(const std::function<bool()>& there, const char* what, std::chrono::milliseconds limit);
  MemberView read_member(const std::string& id, const coordination::Node& entry);
  void edit_roster(const FleetView& view, const std::string& unique, const std::string& note,
                   std::vector<coordination::Write> writes);
  std::optional<std::vector<std::string>> names_if_there(const std::string& path);
  void tidy_within(std::chrono::milliseconds limit);
  std::optional<coordination::Node> read(const std::string& path);
  std::vector<std::string> names(const std::string& path);
  coordination::Outcome write(std::vector<coordination::Write> writes);
  void touch();

  boost::asio::io_context& loop_;
  const MakeSession make_;
  const Paths paths_;
  const std::chrono::milliseconds limit_;
  std::unique_ptr<coordination::Session> session_;
};

}  // namespace fleet
