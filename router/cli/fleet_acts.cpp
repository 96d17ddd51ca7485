// The commands of `moray-router fleet`.
#include "router/cli/fleet_acts.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "fleet/protocol/text.hpp"
#include "ring/durable_file.hpp"
#include "ring/generation_store.hpp"
#include "ring/location.hpp"
#include "ring/ring_edit.hpp"
#include "router/cli/admin_client.hpp"
#include "router/cli/commands.hpp"
#include "router/cli/fleet_reports.hpp"
#include "router/cli/fleet_show.hpp"
#include "router/member/roster_keeper.hpp"

namespace router::cli::fleet_acts {
namespace {

constexpr std::chrono::seconds kWatchEach{2};

void print(const FleetOptions& given, const std::string& text) {
  if (given.watch && isatty(STDOUT_FILENO) != 0) std::printf("\033[H\033[2J");
  std::printf("%s", text.c_str());
  std::fflush(stdout);
}

/// Members say what they have, though nobody knows then what the fleet has.
void show_reports(FleetCommand& command, const FleetOptions& given, const std::string& why) {
  const MemberReports reports =
      command.ask(kept_roster(command.config().ring_location), given.members);
  if (given.json) return print(given, json_of(command.name(), why, reports).dump() + "\n");
  const std::string none =
      "no router is known here: run this on the host of one, with its configuration, or name "
      "their status ports: --member HOST:PORT\n";
  print(given, "fleet " + command.name() + ": ZooKeeper does not say what it has (" + why +
                   ").\nWhat its routers say of themselves:\n" +
                   (reports.empty() ? none : table_of(reports)));
}

FleetExit show(FleetCommand& command, const FleetOptions& given) {
  try {
    const fleet::FleetView view = command.service().look();
    print(given, given.json ? json_of(command.name(), view).dump() + "\n"
                            : table_of(command.name(), view));
    return FleetExit::done;
  } catch (const fleet::OperatorError& error) {
    const bool refused = dynamic_cast<const fleet::OperatorRefused*>(&error) != nullptr;
    const bool lost = dynamic_cast<const fleet::NoFleet*>(&error) != nullptr;
    const bool known =
        !given.members.empty() || !kept_roster(command.config().ring_location).empty();
    if (refused && !(lost && known)) throw;
    command.disconnect();
    show_reports(command, given, error.what());
    return FleetExit::unknown;
  }
}

const fleet::MemberView& dead(const fleet::FleetView& view, const std::string& id) {
  const auto found = view.members.find(id);
  if (found == view.members.end())
    throw std::runtime_error("the fleet has no member \"" + id + "\"");
  if (!found->second.lives.empty())
    throw std::runtime_error("\"" + id +
                             "\" has a session: it lives, or died within the last "
                             "seconds");
  const auto& foreign = found->second.entry.foreign;
  if (foreign && !foreign->stopped && answers(foreign->status))
    throw std::runtime_error("\"" + id + "\" runs: " + foreign->status + " answers");
  if (view.state.change)
    throw std::runtime_error("a change is open; it is closed within a minute or two");
  return found->second;
}

}  // namespace

FleetExit init(FleetCommand& command, const FleetOptions& given) {
  std::string others;
  for (const auto& [id, entry] : kept_roster(command.config().ring_location))
    others += (others.empty() ? "" : ", ") + id;
  if (!others.empty() && !command.service().remains().state)
    throw std::runtime_error("the router of this host has been a member of that fleet, beside " +
                             others + ": where the service has lost it, `fleet reinit`");
  const std::string location =
      given.directory.empty() ? command.config().ring_location : given.directory;
  const ring::LocatedRing located = ring::load_location(location, load_in_child().load);
  const fleet::RingName name{std::max<std::uint64_t>(located.generation, 1),
                             located.ring->digest()};
  std::optional<fleet::Image> image = fleet::image_of(*located.ring);
  if (image->bytes.size() > command.config().fleet.image_bytes_max) {
    std::fprintf(stderr,
                 "the ring's image has %zu bytes, more than fleet.imageBytesMax, and does not go "
                 "through ZooKeeper: routers that lack the ring get it from others%s\n",
                 image->bytes.size(),
                 command.config().fleet.image_url.empty() ? "" : ", or from fleet.imageUrl");
    image.reset();
  }
  command.service().found(name, fleet::geometry_of(*located.ring), image);
  const fleet::RingName there = command.service().look().state.ring;
  if (given.json)
    std::printf(
        "%s\n",
        Json{{"fleet", command.name()}, {"generation", there.generation}, {"digest", there.digest}}
            .dump()
            .c_str());
  else
    std::printf(
        "fleet %s is there, of ring %llu %s; routers whose configuration names it may "
        "join\n",
        command.name().c_str(), static_cast<unsigned long long>(there.generation),
        there.digest.c_str());
  return FleetExit::done;
}

/// Watching goes on where the service is away for a while.
FleetExit status(FleetCommand& command, const FleetOptions& given) {
  FleetExit shown = show(command, given);
  while (given.watch) {
    std::this_thread::sleep_for(kWatchEach);
    shown = show(command, given);
  }
  return shown;
}

FleetExit remap(FleetCommand& command, const FleetOptions& given) {
  const auto vnodes = ring::VnodeSet::parse(read_vnodes(given.vnodes));
  const fleet::FleetView view = command.service().look();
  const auto now = command.ring(view);
  return command.publish(
      view, now, ring::remapped(*now, vnodes, given.pnode),
      "remap of " + std::to_string(vnodes.size()) + " vnodes to " + given.pnode,
      fleet::Edit{now->digest(), vnodes, fleet::Edit::Gives::pnode, given.pnode});
}

FleetExit set_data(FleetCommand& command, const FleetOptions& given) {
  const auto vnodes = ring::VnodeSet::parse(read_vnodes(given.vnodes));
  const Json parsed = Json::parse(given.data, nullptr, false);
  const Json data = given.data.empty()      ? Json(1)
                    : parsed.is_discarded() ? Json(given.data)
                                            : parsed;
  const fleet::FleetView view = command.service().look();
  const auto now = command.ring(view);
  return command.publish(view, now, ring::with_data(*now, vnodes, data.dump()),
                         "data of " + std::to_string(vnodes.size()) + " vnodes",
                         fleet::Edit{now->digest(), vnodes, fleet::Edit::Gives::data, data.dump()});
}

FleetExit publish(FleetCommand& command, const FleetOptions& given) {
  const auto next = ring::load_location(given.directory, load_in_child().load).ring;
  const fleet::FleetView view = command.service().look();
  const auto now = command.ring(view);
  return command.publish(view, now, next, "ring of " + given.directory);
}

/// The name is what `fleet.imageUrl` is asked for.
FleetExit image(FleetCommand& command, const FleetOptions& given) {
  const auto ring = ring::load_location(given.directory, load_in_child().load).ring;
  if (fleet::geometry_of(*ring) != command.service().geometry())
    throw std::runtime_error(
        "no router of this fleet takes that ring: its number of vnodes, its "
        "algorithm or its interval is another one");
  const fleet::Image image = fleet::image_of(*ring);
  const std::string path = given.file.empty() ? image.digest : given.file;
  ring::durable::write(path, image.bytes);
  if (given.json)
    std::printf("%s\n",
                Json{{"digest", image.digest}, {"bytes", image.bytes.size()}, {"file", path}}
                    .dump()
                    .c_str());
  else
    std::printf("%s: %zu bytes, the image of ring %s\n", path.c_str(), image.bytes.size(),
                image.digest.c_str());
  return FleetExit::done;
}

/// An older ring is in the store of any member; this host's is asked.
FleetExit rollback(FleetCommand& command, const FleetOptions& given) {
  const ring::GenerationStore store(command.config().ring_location, load_in_child().load);
  const fleet::FleetView view = command.service().look();
  const ring::Generation current = store.current();
  if (current.number != view.state.ring.generation || current.digest != view.state.ring.digest)
    throw std::runtime_error("the store " + command.config().ring_location +
                             " has another ring in force than the fleet; run this where a member "
                             "that is in step keeps its rings");
  const auto number =
      given.generation != 0 ? std::optional(given.generation) : store.before(current);
  const auto wanted = number && *number < current.number ? store.find(*number) : std::nullopt;
  if (!wanted)
    throw std::runtime_error("the store " + command.config().ring_location + " has no " +
                             (number ? "generation " + std::to_string(*number) + " that is older"
                                     : "generation before " + std::to_string(current.number)));
  const auto now = command.ring(view);
  return command.publish(view, now, store.load(*wanted).ring,
                         "rollback to generation " + std::to_string(wanted->number));
}

FleetExit block(FleetCommand& command, const FleetOptions& given) {
  const auto vnodes = ring::VnodeSet::parse(read_vnodes(given.vnodes));
  if (vnodes.empty()) throw std::runtime_error("no vnodes are named");
  const fleet::FleetView view = command.service().look();
  // One node holds all blocks; nobody should learn that it is full once writes wait.
  if (fleet::to_text(view.blocks).size() + 4 * FleetOptions::kWhyMost >
      coordination::kNodeBytesMost)
    throw std::runtime_error(std::to_string(view.blocks.size()) +
                             " blocks are all that the service holds; unblock some");
  const fleet::Geometry geometry = command.service().geometry();
  if (vnodes.ranges().back().last >= geometry.vnodes)
    throw std::runtime_error("vnode " + std::to_string(vnodes.ranges().back().last) +
                             " is not in the ring, which has " + std::to_string(geometry.vnodes));
  const fleet::Image image = fleet::image_of(vnodes, geometry.vnodes);
  command.service().put(image);
  return command.run(fleet::intent::Block{image.digest, given.mode == "hold"},
                     "block of " + std::to_string(vnodes.size()) + " vnodes");
}

FleetExit unblock(FleetCommand& command, const FleetOptions& given) {
  if (!given.all && given.token.empty())
    throw std::runtime_error("which block? TOKEN, as `fleet status` shows it, or --all");
  if (!given.all) return command.run(fleet::intent::Unblock{given.token}, "unblock");
  const fleet::FleetView view = command.service().look();
  auto worst = FleetExit::done;
  if (view.blocks.empty()) std::fprintf(stderr, "nothing is blocked\n");
  for (const fleet::Block& each : view.blocks) {
    const FleetExit ended = command.run(fleet::intent::Unblock{each.token}, "unblock");
    if (ended != FleetExit::done) worst = ended;
  }
  return worst;
}

/// What a process that has just died has sent to shards may be done yet: nobody would wait for it
/// once the roster has forgotten it.
FleetExit remove(FleetCommand& command, const FleetOptions& given) {
  if (given.confirmed != given.id)
    throw std::runtime_error(
        "a router that is removed and runs yet, or starts again by itself, "
        "may serve an old ring. Where it is stopped for good, say so: --gone " +
        given.id);
  fleet::FleetView view = command.service().look();
  const std::int32_t version = dead(view, given.id).version;
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(given.grace);
  if (given.grace > 0)
    std::fprintf(stderr, "waiting %.0f s, for writes that it may have sent\n", given.grace);
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    view = command.service().look();
    if (dead(view, given.id).version != version)
      throw std::runtime_error("\"" + given.id + "\" has come back meanwhile");
  }
  command.service().remove(view, given.id, FleetCommand::who());
  if (given.json)
    std::printf("%s\n", Json{{"removed", given.id}}.dump().c_str());
  else
    std::printf("%s is no member any more\n", given.id.c_str());
  return FleetExit::done;
}

/// Its coordinator goes by the row, and so does any that follows it, however late.
FleetExit settle(FleetCommand& command, const FleetOptions& given) {
  if (given.committed == given.not_committed)
    throw std::runtime_error("what does the plan's row say? --committed, or --not-committed");
  const fleet::State state = command.service().look().state;
  if (!state.change || state.change->token != given.token)
    throw std::runtime_error("no change " + given.token + " is open");
  if (state.change->kind != fleet::Kind::reshard)
    throw std::runtime_error("change " + given.token +
                             " is no cutover: the routers close it by themselves");
  if (given.not_committed && state.change->stage == fleet::Stage::activate)
    throw std::runtime_error("change " + given.token + " is committed already");
  if (given.committed && state.change->stage == fleet::Stage::prepare)
    throw std::runtime_error("change " + given.token +
                             " can't be: not all routers have blocked the vnodes");
  return command.run(
      fleet::intent::Close{given.token, state.seq, given.committed},
      "settling of change " + given.token,
      given.committed ? fleet::Ending::Kind::committed : fleet::Ending::Kind::abandoned);
}

FleetExit history(FleetCommand& command, const FleetOptions& given) {
  const auto steps = command.service().history();
  if (!given.json) std::printf("%s", table_of_history(steps).c_str());
  if (given.json)
    for (const std::string& step : steps) std::printf("%s\n", step.c_str());
  return FleetExit::done;
}

}  // namespace router::cli::fleet_acts
