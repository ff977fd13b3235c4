package notify

import (
	"encoding/json"
	"fmt"

	"ingot.dev/ingot"
)

// notification is what a topic's subscribers get: the vendor's form without
// its signature, which is made with a certificate that only the vendor has.
type notification struct {
	Type      string `json:"Type"`
	MessageID string `json:"MessageId"`
	TopicARN  string `json:"TopicArn"`
	Subject   string `json:"Subject"`
	Message   string `json:"Message"`
	Timestamp string `json:"Timestamp"`
}

const notificationTime = "2006-01-02T15:04:05.000Z"

// payload is what programs get of a message: an event, a notification of a
// topic, or the input of a function.
func payload(m ingot.Message) ([]byte, error) {
	if m.Channel != ingot.ChannelTopic {
		return m.Body, nil
	}
	data, err := json.Marshal(notification{
		Type: "Notification", MessageID: m.ID, TopicARN: m.Name, Subject: m.Subject,
		Message: string(m.Body), Timestamp: m.Time.UTC().Format(notificationTime),
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the notification %s: %w", m.ID, err)
	}
	return data, nil
}
