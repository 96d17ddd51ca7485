#include "router/control/directory_edits.hpp"

#include <cstdint>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "ring/leveldb_store.hpp"
#include "ring_tool/stored_ring.hpp"

namespace router {
namespace {

/// Which vnodes get what.
using Gifts = std::vector<std::pair<std::string, ring::VnodeSet>>;
struct AllGifts {
  Gifts pnodes, data;
};

std::vector<std::uint32_t> numbers(const ring::VnodeSet& vnodes) {
  std::vector<std::uint32_t> all;
  all.reserve(vnodes.size());
  vnodes.each([&](ring::Vnode vnode) { all.push_back(number(vnode)); });
  return all;
}

void give(const std::string& directory, const AllGifts& gives) {
  ring_tool::StoredRing stored(directory, ring_tool::StoredRing::Access::edit);
  for (const auto& [pnode, vnodes] : gives.pnodes) stored.remap(numbers(vnodes), pnode);
  for (const auto& [text, vnodes] : gives.data) stored.add_data(numbers(vnodes), text);
  stored.commit();
}

nlohmann::json to_json(const Gifts& gifts) {
  nlohmann::json all = nlohmann::json::array();
  for (const auto& [value, vnodes] : gifts) all.push_back({value, vnodes.to_text()});
  return all;
}

Gifts gifts_from(const nlohmann::json& all) {
  Gifts gifts;
  for (const nlohmann::json& each : all)
    gifts.emplace_back(each.at(0).get<std::string>(),
                       ring::VnodeSet::parse(each.at(1).get<std::string>()));
  return gifts;
}

ring::DirectoryEdit directory_edit(AllGifts gives) {
  std::string text =
      nlohmann::json{{"pnodes", to_json(gives.pnodes)}, {"data", to_json(gives.data)}}.dump();
  return {[gives = std::move(gives)](const std::filesystem::path& directory) {
            give(directory.string(), gives);
          },
          std::move(text)};
}

}  // namespace

ring::DirectoryEdit directory_edit(const RingEdit& edit) {
  AllGifts gives;
  if (!edit.moved.empty()) gives.pnodes.emplace_back(edit.pnode, edit.moved);
  if (!edit.marked.empty()) gives.data.emplace_back(edit.data_json, edit.marked);
  return directory_edit(std::move(gives));
}

ring::DirectoryEdit directory_edit(const ring::Difference& difference) {
  AllGifts gives;
  for (const auto& move : difference.moves) gives.pnodes.emplace_back(move.to, move.vnodes);
  for (const auto& data : difference.data) gives.data.emplace_back(data.to, data.vnodes);
  return directory_edit(std::move(gives));
}

void edit_directory(const std::string& directory, const std::string& text) {
  AllGifts gives;
  try {
    const nlohmann::json edit = nlohmann::json::parse(text);
    gives = {gifts_from(edit.at("pnodes")), gifts_from(edit.at("data"))};
  } catch (const std::exception& error) {
    throw ring::RingError("ring " + directory + ": the edit can't be read: " + error.what());
  }
  try {
    give(directory, gives);
  } catch (const std::runtime_error& failure) {  // StoredRing's words
    throw ring::RingError("ring " + directory + ": " + failure.what());
  }
}

}  // namespace router
