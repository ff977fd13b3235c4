package server

import (
	"context"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
)

func (s *Server) listEvents(ctx context.Context, in admin.EventPage, _ admin.Send) ([]admin.Event, error) {
	messages, err := s.db.Messages(ctx, in.Before, pageOf(in.Limit))
	if err != nil {
		return nil, err
	}
	list := []admin.Event{}
	for _, m := range messages {
		e := eventOf(m.Message)
		e.Row, e.Open = m.Row, m.Open
		list = append(list, e)
	}
	return list, nil
}

func pageOf(limit int) int {
	if limit <= 0 || limit > admin.MaxEvents {
		return admin.MaxEvents
	}
	return limit
}

func eventOf(m ingot.Message) admin.Event {
	return admin.Event{
		ID: m.ID, Channel: string(m.Channel), Name: m.Name, About: m.About, Subject: m.Subject, Time: m.Time, Body: m.Body,
	}
}

func (s *Server) listDeliveries(ctx context.Context, in admin.EventPage, _ admin.Send) ([]admin.Delivery, error) {
	deliveries, err := s.db.Deliveries(ctx, in.Dead, in.Before, pageOf(in.Limit))
	if err != nil {
		return nil, err
	}
	list := []admin.Delivery{}
	for _, d := range deliveries {
		list = append(list, admin.Delivery{
			ID: d.ID, Endpoint: d.Endpoint, Attempts: d.Attempts, Due: d.Due, Died: d.Died, Problem: d.Problem, Event: eventOf(d.Message),
		})
	}
	return list, nil
}

func (s *Server) retryDelivery(ctx context.Context, in admin.DeliveryID, _ admin.Send) (admin.None, error) {
	return admin.None{}, s.db.RetryDelivery(ctx, in.ID, time.Now())
}
