#include "router/member/first_ring.hpp"

#include <exception>
#include <filesystem>
#include <utility>

#include "fleet/protocol/text.hpp"
#include "fleet/service/image_nodes.hpp"
#include "ring/durable_file.hpp"
#include "ring/generation_store.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

using coordination::Node;

constexpr std::chrono::seconds kAgain{1};

}  // namespace

FirstRing::FirstRing(boost::asio::io_context& loop, FleetSettings settings, std::string store,
                     Log& log)
    : settings_(std::move(settings)), store_(std::move(store)), log_(log), timer_(loop),
      keeper_(loop, sessions_of(settings_, loop),
              {[this](coordination::Session& session) {
                 session_ = &session;
                 look(session);
               },
               [this] {
                 session_ = nullptr;
                 timer_.cancel();
               },
               [this](bool there) {
                 if (!there) say("ZooKeeper does not answer");
               },
               [this](const std::string& problem) { say(problem); }}) {}

void FirstRing::start() {
  say("ZooKeeper has not answered yet");
  keeper_.start();
}

std::string FirstRing::waits_for() const {
  const std::scoped_lock lock(mutex_);
  return waits_for_;
}

void FirstRing::say(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  if (what == std::exchange(waits_for_, what)) return;
  log_.info("this router has no ring yet, and waits for its fleet's", {{"reason", what}});
}

void FirstRing::again(const std::string& why) {
  say(why);
  timer_.expires_after(kAgain);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && session_ != nullptr && !done_) look(*session_);
  });
}

/// A write first, so that what is read is not older than this router's start.
void FirstRing::look(coordination::Session& session) {
  const fleet::Paths& paths = settings_.paths;
  session.transact(
      {coordination::Check{paths.state(), coordination::kAnyVersion}},
      [this, &session](coordination::Outcome outcome, std::size_t) {
        using coordination::Outcome;
        const fleet::Paths& at = settings_.paths;
        if (outcome == Outcome::no_node) return again("there is no fleet at " + at.root());
        if (outcome != Outcome::done)
          return again("ZooKeeper: " + std::string(coordination::to_string(outcome)));
        session.get(at.root(), nullptr, [this, &session](Outcome got, const Node& root) {
          if (got != Outcome::done) return again("the fleet's root can't be read");
          session.get(settings_.paths.state(), nullptr,
                      [this, &session, root](Outcome read, const Node& state) {
                        if (read != Outcome::done) return again("the fleet's state can't be read");
                        try {
                          fetch(session, root.value, fleet::state_from(state.value));
                        } catch (const std::exception& error) {
                          again(error.what());
                        }
                      });
        });
      });
}

void FirstRing::fetch(coordination::Session& session, const std::string& root,
                      const fleet::State& state) {
  const fleet::Geometry geometry = fleet::geometry_from(root);
  fleet::get_image(
      session, settings_.paths, state.ring.digest,
      [this, geometry, name = state.ring](const fleet::ImageOutcome& image) {
        if (image.outcome != coordination::Outcome::done)
          return again("the image of the fleet's ring, " + name.digest + ": " +
                       (image.why.empty() ? std::string(to_string(image.outcome)) : image.why));
        make(geometry, name, image.bytes);
      });
}

void FirstRing::make(const fleet::Geometry& geometry, const fleet::RingName& name,
                     const std::string& bytes) {
  std::shared_ptr<const ring::Ring> ring;
  try {
    ring = fleet::ring_from({name.digest, bytes}, geometry);
  } catch (const std::exception& error) {
    return again(error.what());
  }
  try {
    // Made under another name first, so that a start that was cut short leaves no half a store.
    std::filesystem::path location = std::filesystem::absolute(store_).lexically_normal();
    if (!location.has_filename()) location = location.parent_path();  // it ended with a slash
    std::filesystem::path unfinished = location;
    unfinished += ".unfinished";
    std::filesystem::create_directories(location.parent_path());
    std::filesystem::remove_all(unfinished);
    ring::GenerationStore store(unfinished);
    store.activate(store.stage_ring(*ring, name.generation).generation);
    ring::durable::rename(unfinished, location);
    log_.info("this router has its fleet's ring",
              {{"generation", name.generation}, {"ringDigest", name.digest}});
  } catch (const std::exception& error) {
    failure_ = error.what();
  }
  done_ = true;
}

}  // namespace router
