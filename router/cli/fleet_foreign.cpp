// Routers of a fleet that know nothing of fleets.
#include <cstdio>
#include <optional>
#include <stdexcept>

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "config/image_url.hpp"
#include "fleet/sources/http_get.hpp"
#include "router/cli/fleet_acts.hpp"

namespace router::cli::fleet_acts {
namespace {

constexpr std::chrono::milliseconds kAnswersWithin{5'000};
constexpr std::size_t kPageMost = 1 << 20;

void require_closed(const fleet::FleetView& view) {
  if (view.state.change)
    throw std::runtime_error("a change is open, which this would be too late for: " +
                             view.state.change->why);
}

FleetExit say(const FleetOptions& given, const std::string& id, const fleet::Foreign& foreign) {
  if (given.json) {
    std::printf(
        "%s\n",
        nlohmann::ordered_json{
            {"id", id}, {"foreign", true}, {"stopped", foreign.stopped}, {"digest", foreign.digest}}
            .dump()
            .c_str());
  } else if (foreign.stopped) {
    std::printf(
        "%s counts as stopped: vnodes may change hands. Before it runs again, give it the "
        "ring in force, and say so: fleet acknowledge %s --serves DIGEST\n",
        id.c_str(), id.c_str());
  } else {
    std::printf(
        "%s runs, and %s%s. As long as it does, no vnode can change hands and no writes "
        "can be blocked\n",
        id.c_str(), foreign.digest.empty() ? "nobody has said by which ring" : "serves by ring ",
        foreign.digest.c_str());
  }
  return FleetExit::done;
}

}  // namespace

/// Any answer at all: it runs. A process that is stopped in its tracks still takes connections.
bool answers(const std::string& url) {
  const config::HttpUrl page = config::http_url_from(url);
  boost::asio::io_context loop;
  std::optional<fleet::HttpAnswer> said;
  fleet::http_get(loop, page.server, page.target, false,
                  {kPageMost, kAnswersWithin, kAnswersWithin},
                  [&](fleet::HttpAnswer answer) { said = std::move(answer); });
  loop.run();
  return said && !said->why.starts_with("no connection");
}

FleetExit add_foreign(FleetCommand& command, const FleetOptions& given) {
  static_cast<void>(config::http_url_from(given.url));
  const fleet::FleetView view = command.service().look();
  require_closed(view);
  const auto there = view.members.find(given.id);
  if (there != view.members.end() && !there->second.entry.foreign)
    throw std::runtime_error("\"" + given.id + "\" is a member already, and none that is foreign");
  const fleet::Foreign foreign{given.url, false, given.digest};
  command.service().put_foreign(view, given.id, foreign, FleetCommand::who());
  return say(given, given.id, foreign);
}

FleetExit acknowledge(FleetCommand& command, const FleetOptions& given) {
  if (given.stopped == !given.digest.empty())
    throw std::runtime_error("what does it do? --stopped, or --serves DIGEST");
  const fleet::FleetView view = command.service().look();
  require_closed(view);
  const auto there = view.members.find(given.id);
  if (there == view.members.end())
    throw std::runtime_error("the fleet has no router \"" + given.id + "\"");
  if (!there->second.entry.foreign)
    throw std::runtime_error("\"" + given.id + "\" answers for itself");
  fleet::Foreign foreign = *there->second.entry.foreign;
  foreign.stopped = given.stopped;
  foreign.digest = given.digest;
  if (given.stopped && answers(foreign.status))
    throw std::runtime_error("\"" + given.id + "\" is not stopped: " + foreign.status +
                             " answers yet");
  if (!given.stopped && given.digest != view.state.ring.digest)
    std::fprintf(stderr, "ring %s is not the one in force, which is %s\n", given.digest.c_str(),
                 view.state.ring.digest.c_str());
  command.service().put_foreign(view, given.id, foreign, FleetCommand::who());
  return say(given, given.id, foreign);
}

}  // namespace router::cli::fleet_acts
